//! Makes the frames to send. Where all messages are alike but for their stamps, one frame is made
//! and masked beforehand, and a message is a copy of it with 24 bytes written over.

use crate::{
    Dialect, Plan, Script, Who,
    stamp::{DIGITS, Marker, Stamp},
    wire::{Kind, Mask, append_frame},
};

/// What messages without a script are filled up with.
const FILLING: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789 ";

/// Makes frames.
pub(crate) struct Composer<'a> {
    kind: Kind,
    mask: Mask,
    marker: Marker,
    dialect: &'a dyn Dialect,
    content: Content<'a>,
    /// A message of a script in the making.
    scratch: Vec<u8>,
}

enum Content<'a> {
    /// A whole masked frame, where in it the digits of its stamp are, and what they are masked with.
    Alike {
        frame: Vec<u8>,
        digits: usize,
        key: u64,
    },
    Script(&'a Script),
}

impl<'a> Composer<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        dialect: &'a dyn Dialect,
        marker: Marker,
        mask: Mask,
    ) -> Self {
        let kind = if plan.binary { Kind::Binary } else { Kind::Text };
        let content = match &plan.script {
            Some(script) => Content::Script(script),
            None => {
                let mut payload = dialect.prefix(plan.bytes);
                let start = payload.len();
                payload.extend(marker.stamp(Stamp { client: 0, number: 0, due: 0 }));
                payload.extend(FILLING.iter().cycle().take(plan.bytes));
                payload.truncate(start + plan.bytes);
                let mut frame = Vec::new();
                let header = append_frame(kind, &payload, mask, &mut frame);
                let offset = start + marker.length();
                Content::Alike { frame, digits: header + offset, key: mask.of_word(offset) }
            }
        };
        Composer { kind, mask, marker, dialect, content, scratch: Vec::new() }
    }

    /// Whether the message `sent` of a sender is one that is verified.
    pub(crate) fn is_stamped(&self, sent: u64) -> bool {
        match &self.content {
            Content::Alike { .. } => true,
            Content::Script(script) => script.is_stamped(sent),
        }
    }

    /// Appends the message `sent` of the client `who`.
    #[inline]
    pub(crate) fn append(&mut self, who: Who<'_>, sent: u64, stamp: Stamp, output: &mut Vec<u8>) {
        match &self.content {
            Content::Alike { frame, digits, key } => {
                let start = output.len();
                output.extend_from_slice(frame);
                let place =
                    output.get_mut(start + digits..).and_then(|rest| rest.get_mut(..DIGITS));
                // A message too short for a stamp has none.
                let Some(place) = place else { return };
                for (bytes, word) in place.as_chunks_mut().0.iter_mut().zip(stamp.digits()) {
                    *bytes = (u64::from_ne_bytes(word) ^ key).to_ne_bytes();
                }
            }
            Content::Script(script) => {
                self.scratch.clear();
                script.write(who, sent, &self.marker.stamp(stamp), &mut self.scratch);
                self.scratch.splice(..0, self.dialect.prefix(self.scratch.len()));
                append_frame(self.kind, &self.scratch, self.mask, output);
            }
        }
    }

    /// Appends a frame that is no message of the plan.
    pub(crate) fn append_other(&self, kind: Kind, payload: &[u8], output: &mut Vec<u8>) {
        append_frame(kind, payload, self.mask, output);
    }
}
