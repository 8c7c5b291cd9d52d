//! Writes frames, masked as those of a client must be.

/// The key that every frame of a run is masked with. It is random, but the same for all of them,
/// so that a frame can be masked once and sent many times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask([u8; 4]);

impl Mask {
    pub(crate) fn random() -> Self {
        Mask(fastrand::u32(..).to_ne_bytes())
    }

    /// The key of eight bytes of a payload from its `offset` on.
    pub(crate) fn of_word(self, offset: usize) -> u64 {
        let mut key = [self.0, self.0];
        key.as_flattened_mut().rotate_left(offset % 4);
        let mut word = [0; 8];
        word.copy_from_slice(key.as_flattened());
        u64::from_ne_bytes(word)
    }
}

/// The first byte of a frame: a whole message, or a control frame.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Kind {
    Text = 0x81,
    Binary = 0x82,
    Close = 0x88,
    Pong = 0x8A,
}

/// Appends a whole frame, and returns where in `output` its payload starts.
pub(crate) fn append_frame(kind: Kind, payload: &[u8], mask: Mask, output: &mut Vec<u8>) -> usize {
    output.push(kind as u8);
    match payload.len() {
        length @ 0..=125 => output.push(0x80 | length as u8),
        length @ 126..=0xFFFF => {
            output.push(0x80 | 126);
            output.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            output.push(0x80 | 127);
            output.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    output.extend_from_slice(&mask.0);
    let start = output.len();
    output.extend(payload.iter().zip(mask.0.iter().cycle()).map(|(byte, key)| byte ^ key));
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_that_of_the_rfcs_example() {
        let mut output = Vec::new();
        let mask = Mask([0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(append_frame(Kind::Text, b"Hello", mask, &mut output), 6);
        assert_eq!(output, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }
}
