//! A room's whole state between two events: what differs from the image that its module starts with.

use crate::{
    image::{Image, PAGE, Page},
    lent::Lent,
    page_map::PageMap,
};
use wasmtime::{AsContextMut, Global, Memory, V128, Val};

/// The state of a room between two events, as bits: two rooms of one module with equal snapshots
/// answer the same to whatever they hear, as long as their sources do.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    pub(crate) image: Image,
    pub(crate) state: State,
}

/// All of a snapshot but the image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The size of the memory in WebAssembly's pages, of 64 KiB.
    pub(crate) memory_pages: u64,
    /// The mutable globals, each as its bits.
    pub(crate) globals: Vec<u128>,
    /// What the guest has lent to the host.
    pub(crate) lent: Lent,
    /// The numbers of the pages that differ from the image, ascending.
    pub(crate) numbers: Vec<u32>,
    /// Those pages, in that order.
    pub(crate) pages: Vec<Page>,
}

impl Snapshot {
    /// Pages, as they are compared, in one of WebAssembly's.
    pub(crate) const PAGES_IN_ONE: u64 = (64 << 10) / PAGE as u64;

    /// Takes the state of a guest that stands still.
    pub(crate) fn take(
        mut store: impl AsContextMut,
        memory: Memory,
        globals: &[Global],
        lent: Lent,
        image: &Image,
        page_map: &PageMap,
    ) -> Snapshot {
        let globals = globals.iter().map(|global| bits(global.get(&mut store))).collect();
        let store = store.as_context();
        let (numbers, pages) = differences(memory.data(&store), image, page_map);
        let memory_pages = memory.size(&store);
        let state = State { memory_pages, globals, lent, numbers, pages };
        Snapshot { image: image.clone(), state }
    }

    /// Bytes of memory that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self)
            + self.state.globals.capacity() * size_of::<u128>()
            + self.state.numbers.capacity() * size_of::<u32>()
            + self.state.pages.capacity() * PAGE
    }
}

impl State {
    /// Brings a guest that was just instantiated, in which nothing has run, into this state.
    pub(crate) fn restore(
        &self,
        mut store: impl AsContextMut,
        memory: Memory,
        globals: &[Global],
    ) -> wasmtime::Result<()> {
        let more = self.memory_pages.saturating_sub(memory.size(&store));
        if more > 0 {
            memory.grow(&mut store, more)?;
        }
        let (pages, _) = memory.data_mut(&mut store).as_chunks_mut::<PAGE>();
        for (number, page) in self.numbers.iter().zip(&self.pages) {
            let place = pages.get_mut(*number as usize).ok_or(DoesNotFit)?;
            *place = *page;
        }
        for (global, bits) in globals.iter().zip(&self.globals) {
            let was = global.get(&mut store);
            global.set(&mut store, value(&was, *bits))?;
        }
        Ok(())
    }
}

/// A snapshot names a page that its memory has not.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot is of another module")]
struct DoesNotFit;

/// Tries what the kernel tells of `memory`, in which something has run, against comparing all of it.
/// Waking rooms rests on it, so a kernel that tells something else has to be noticed.
pub(crate) fn try_page_map(memory: &[u8], image: &Image, page_map: &PageMap) {
    if differences(memory, image, page_map) != differences(memory, image, &PageMap::unknown()) {
        page_map.distrust();
    }
}

fn differences(memory: &[u8], image: &Image, page_map: &PageMap) -> (Vec<u32>, Vec<Page>) {
    let (mut numbers, mut different) = (Vec::new(), Vec::new());
    let (pages, _) = memory.as_chunks::<PAGE>();
    for range in page_map.written(memory) {
        let (first, end) = (range.start / PAGE, (range.end / PAGE).min(pages.len()));
        for (number, page) in (first..end).zip(pages.get(first..end).unwrap_or_default()) {
            if page != image.page(number) {
                // A memory of 4 GiB has 2^20 pages.
                numbers.push(number as u32);
                different.push(*page);
            }
        }
    }
    (numbers, different)
}

/// The bits of a number, exactly, whatever NaN it may be.
fn bits(value: Val) -> u128 {
    match value {
        Val::I32(value) => u128::from(value.cast_unsigned()),
        Val::I64(value) => u128::from(value.cast_unsigned()),
        Val::F32(bits) => u128::from(bits),
        Val::F64(bits) => u128::from(bits),
        Val::V128(value) => value.as_u128(),
        // Modules with such globals can't sleep.
        _ => 0,
    }
}

/// The number of these bits, of the type that `like` has.
fn value(like: &Val, bits: u128) -> Val {
    match like {
        Val::I32(_) => Val::I32(bits as i32),
        Val::I64(_) => Val::I64(bits as i64),
        Val::F32(_) => Val::F32(bits as u32),
        Val::F64(_) => Val::F64(bits as u64),
        Val::V128(_) => Val::V128(V128::from(bits)),
        other => *other,
    }
}
