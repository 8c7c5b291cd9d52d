//! The one door to a guest's memory: every address a guest gives is checked here, and a bad one is a
//! value, the guest's fault, never a panic of the host.

use crate::{fault::Fault, host_state::HostState};
use wasmtime::{Caller, Extern, Store};

/// The linear memory of a guest, for as long as the guest stands still.
pub(crate) struct GuestMemory<'a> {
    bytes: &'a mut [u8],
}

impl<'a> GuestMemory<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        GuestMemory { bytes }
    }

    /// The memory and the state of the guest that has called an import.
    pub(crate) fn of<'c>(
        caller: &'c mut Caller<'_, HostState>,
    ) -> Result<(GuestMemory<'c>, &'c mut HostState), Fault> {
        let memory = match caller.data().memory {
            Some(memory) => memory,
            // A start function runs before the handle could be kept.
            None => match caller.get_export("memory") {
                Some(Extern::Memory(memory)) => memory,
                _ => return Err(Fault::NoMemory),
            },
        };
        let (bytes, state) = memory.data_and_store_mut(caller);
        Ok((GuestMemory { bytes }, state))
    }

    /// The `length` bytes at `pointer`.
    pub(crate) fn bytes(&self, pointer: u32, length: u32) -> Result<&[u8], Fault> {
        let memory = self.bytes.len();
        usize::try_from(u64::from(pointer) + u64::from(length))
            .ok()
            .and_then(|end| self.bytes.get(pointer as usize..end))
            .ok_or(Fault::OutsideMemory { pointer, length, memory })
    }

    /// The `length` bytes at `pointer`, to write to.
    pub(crate) fn bytes_mut(&mut self, pointer: u32, length: u32) -> Result<&mut [u8], Fault> {
        let memory = self.bytes.len();
        usize::try_from(u64::from(pointer) + u64::from(length))
            .ok()
            .and_then(|end| self.bytes.get_mut(pointer as usize..end))
            .ok_or(Fault::OutsideMemory { pointer, length, memory })
    }

    /// The text of `length` bytes at `pointer`.
    pub(crate) fn text(&self, pointer: u32, length: u32) -> Result<&str, Fault> {
        let bytes = self.bytes(pointer, length)?;
        // The quick check doesn't tell where the fault is.
        simdutf8::basic::from_utf8(bytes)
            .or_else(|_| std::str::from_utf8(bytes))
            .map_err(Fault::NotUtf8)
    }

    /// Writes `parts` one after the other at `pointer`, into a place of `length` bytes; what is left
    /// of the place stays as it was.
    pub(crate) fn write(
        &mut self,
        pointer: u32,
        length: u32,
        parts: &[&[u8]],
    ) -> Result<(), Fault> {
        let mut place = self.bytes_mut(pointer, length)?;
        for part in parts {
            let Some((here, rest)) = std::mem::take(&mut place).split_at_mut_checked(part.len())
            else {
                return Err(Fault::OutsideMemory { pointer, length, memory: self.bytes.len() });
            };
            here.copy_from_slice(part);
            place = rest;
        }
        Ok(())
    }

    /// The little-endian number at `pointer`.
    pub(crate) fn read_u32(&self, pointer: u32) -> Result<u32, Fault> {
        let memory = self.bytes.len();
        self.bytes
            .get(pointer as usize..)
            .and_then(|from| from.first_chunk())
            .map(|bytes| u32::from_le_bytes(*bytes))
            .ok_or(Fault::OutsideMemory { pointer, length: 4, memory })
    }

    /// Writes a little-endian number at `pointer`.
    pub(crate) fn write_u32(&mut self, pointer: u32, value: u32) -> Result<(), Fault> {
        self.write(pointer, 4, &[&value.to_le_bytes()])
    }

    /// Writes a little-endian number at `pointer`.
    pub(crate) fn write_u64(&mut self, pointer: u32, value: u64) -> Result<(), Fault> {
        self.write(pointer, 8, &[&value.to_le_bytes()])
    }
}

/// Writes `parts` one after the other at `pointer` in the guest's memory, into a place of `length`
/// bytes.
pub(crate) fn write(
    store: &mut Store<HostState>,
    pointer: u32,
    length: u32,
    parts: &[&[u8]],
) -> Result<(), Fault> {
    let memory = store.data().memory.ok_or(Fault::NoMemory)?;
    GuestMemory::new(memory.data_mut(store)).write(pointer, length, parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_inside_can_be_read_and_written() {
        let mut bytes = *b"abcdefgh";
        let mut memory = GuestMemory::new(&mut bytes);
        assert_eq!(memory.bytes(6, 2).unwrap(), b"gh");
        assert_eq!(memory.bytes(8, 0).unwrap(), b"");
        assert_eq!(memory.text(0, 3).unwrap(), "abc");
        memory.write_u32(4, 7).unwrap();
        assert_eq!(memory.read_u32(4).unwrap(), 7);
        memory.write(0, 4, &[b"x", b"yz"]).unwrap();
        assert_eq!(&bytes[..4], b"xyzd");
    }

    #[test]
    fn what_lies_outside_is_the_guests_fault() {
        let mut bytes = [0; 8];
        let mut memory = GuestMemory::new(&mut bytes);
        for (pointer, length) in
            [(7, 2), (9, 0), (u32::MAX, u32::MAX), (u32::MAX, 1), (1, u32::MAX)]
        {
            assert!(memory.bytes(pointer, length).is_err(), "{pointer} {length}");
            assert!(memory.bytes_mut(pointer, length).is_err(), "{pointer} {length}");
        }
        for pointer in [5, 8, 9, u32::MAX] {
            assert!(memory.read_u32(pointer).is_err(), "{pointer}");
            assert!(memory.write_u32(pointer, 0).is_err(), "{pointer}");
        }
        assert!(memory.write(0, 1, &[b"two"]).is_err());
    }

    #[test]
    fn text_that_is_not_utf8_is_the_guests_fault() {
        let mut bytes = [0xff, b'a'];
        assert!(matches!(GuestMemory::new(&mut bytes).text(0, 2), Err(Fault::NotUtf8(_))));
    }
}
