//! Writes to many sockets with one system call, by io_uring.
//!
//! Every write here is one that must not wait, so the call that hands them over finds all of them
//! done, and returns with what became of each: a batch of plain writes, for the price of one entry
//! into the system. Each thread has a ring of its own, made when it first has so much to write.
#![allow(unsafe_code, reason = "the kernel is handed pointers to what is to be written")]

use io_uring::{IoUring, opcode, squeue::Entry, types::Fd};
use mio::net::TcpStream;
use smallvec::SmallVec;
use std::{
    cell::RefCell,
    io::{self, ErrorKind, IoSlice},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
};

/// How many writes are made at once, at most. Twice as many gain nothing, and hold up others; a ring
/// for so many shares two pages of memory with the kernel.
const ENTRIES: usize = 32;

thread_local! {
    static RING: RefCell<Ring> = const { RefCell::new(Ring::Untried) };
}

/// What a thread has of a ring.
enum Ring {
    Untried,
    Open(Box<IoUring>),
    /// The system gives none: it is older than Linux 6.1, or something forbids it.
    Refused,
}

/// Bytes for one socket, in pieces. Both are borrowed until they are written.
#[derive(Debug)]
pub(crate) struct Write<'a> {
    socket: BorrowedFd<'a>,
    pieces: SmallVec<[IoSlice<'a>; 2]>,
}

/// Makes the writes, each as a write to a socket that does not block, and tells `done` of each that
/// was made its place in `writes` and what became of it. Some are not made, or none, where the
/// system has no ring for this thread.
pub(crate) fn write_all(writes: &[Write<'_>], mut done: impl FnMut(usize, io::Result<usize>)) {
    let _ = RING.try_with(|ring| {
        let Ok(mut ring) = ring.try_borrow_mut() else { return };
        if matches!(*ring, Ring::Untried) {
            *ring = Ring::open();
        }
        for (number, writes) in writes.chunks(ENTRIES).enumerate() {
            let Ring::Open(open) = &mut *ring else { return };
            let first = number * ENTRIES;
            let written = write_some(open, writes, |index, result| done(first + index, result));
            if let Err(error) = written {
                // What it was handed and did not take goes with it.
                *ring = Ring::Refused;
                tracing::debug!(%error, "this thread goes on without io_uring");
            }
        }
    });
}

/// Has this thread write without a ring, as if the system gave none.
#[cfg(test)]
pub(crate) fn refuse() {
    RING.set(Ring::Refused);
}

/// Whether this thread has written by a ring.
#[cfg(test)]
pub(crate) fn is_in_use() -> bool {
    RING.with_borrow(|ring| matches!(ring, Ring::Open(_)))
}

impl Ring {
    fn open() -> Self {
        // The last two save work for rings that one thread uses; with Linux 6.1, which has them,
        // all the rest that is needed here is there too.
        let ring = IoUring::builder()
            .dontfork()
            .setup_submit_all()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(ENTRIES as u32);
        match ring {
            Ok(ring) => Ring::Open(Box::new(ring)),
            Err(error) => {
                tracing::debug!(%error, "this thread writes without io_uring");
                Ring::Refused
            }
        }
    }
}

/// Makes at most as many writes as the ring has entries. After an error the ring is not to be used
/// any more: it may have entries that it was handed, and that nobody waits for.
fn write_some(
    ring: &mut IoUring,
    writes: &[Write<'_>],
    mut done: impl FnMut(usize, io::Result<usize>),
) -> io::Result<()> {
    let headers: SmallVec<[libc::msghdr; ENTRIES]> = writes.iter().map(Write::header).collect();
    let mut handed_over = 0;
    let mut queue = ring.submission();
    for (write, header) in writes.iter().zip(&headers) {
        let entry = write.entry(header).user_data(handed_over as u64);
        // SAFETY: The entry points to `header` and, by itself or through that, to the pieces of
        // `writes`, all of which outlive this call. It is not left, not even by a panic, before
        // the system is done with every entry that it has taken, see below. An entry that it has
        // not taken stays in the ring, which is not used any more then.
        if unsafe { queue.push(&entry) }.is_err() {
            break;
        }
        handed_over += 1;
    }
    drop(queue);
    // What each came to, kept until all are: `done` might panic.
    let mut results: [Option<i32>; ENTRIES] = [None; ENTRIES];
    let mut completed = 0;
    let outcome = loop {
        let entered = ring.submit_and_wait(handed_over - completed);
        for completion in ring.completion() {
            completed += 1;
            if let Some(result) = results.get_mut(completion.user_data() as usize) {
                *result = Some(completion.result());
            }
        }
        if completed == handed_over {
            break Ok(());
        }
        let taken = handed_over - ring.submission().len();
        match entered {
            Err(error) if error.kind() != ErrorKind::Interrupted && completed == taken => {
                break Err(error);
            }
            // There is no way out while the system may still read what is borrowed here.
            _ => {}
        }
    };
    for (index, result) in results.into_iter().enumerate() {
        if let Some(result) = result {
            let result = match usize::try_from(result) {
                Ok(written) => Ok(written),
                Err(_) => Err(io::Error::from_raw_os_error(-result)),
            };
            done(index, result);
        }
    }
    outcome
}

impl<'a> Write<'a> {
    pub(crate) fn new(socket: &'a TcpStream, pieces: SmallVec<[IoSlice<'a>; 2]>) -> Self {
        Write { socket: socket.as_fd(), pieces }
    }

    /// How the pieces are told of where there are several.
    fn header(&self) -> libc::msghdr {
        // SAFETY: It consists of numbers and pointers, all of which may be 0, which is "none".
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        // An `IoSlice` is an `iovec`, by its documentation; sending only reads them.
        header.msg_iov = self.pieces.as_ptr().cast_mut().cast();
        header.msg_iovlen = self.pieces.len() as _;
        header
    }

    fn entry(&self, header: &libc::msghdr) -> Entry {
        let socket = Fd(self.socket.as_raw_fd());
        // With the first it never waits: when the socket is full, that is its result.
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        match self.pieces.as_slice() {
            [piece] if let Ok(length) = u32::try_from(piece.len()) => {
                opcode::Send::new(socket, piece.as_ptr(), length).flags(flags).build()
            }
            _ => opcode::SendMsg::new(socket, header).flags(flags as u32).build(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;
    use std::net::{Shutdown, TcpListener};

    /// A socket that does not block, and its other side.
    fn pair() -> (TcpStream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = listener.accept().unwrap().0;
        stream.set_nonblocking(true).unwrap();
        (TcpStream::from_std(stream), other)
    }

    fn write<'a>(socket: &'a TcpStream, pieces: &[&'a [u8]]) -> Write<'a> {
        Write::new(socket, pieces.iter().map(|piece| IoSlice::new(piece)).collect())
    }

    #[test]
    fn each_write_comes_to_what_a_plain_one_does() {
        // Over TCP room might appear while nobody reads: the system may let the other side hold more.
        let (full, _unread) = std::os::unix::net::UnixStream::pair().unwrap();
        full.set_nonblocking(true).unwrap();
        while std::io::Write::write(&mut &full, &[0; 4096]).is_ok() {}
        let (closed, _other) = pair();
        closed.shutdown(Shutdown::Write).unwrap();
        let mut pairs: Vec<_> = (0..2 * ENTRIES + 1).map(|_| pair()).collect();
        let to_full = Write { socket: full.as_fd(), pieces: smallvec![IoSlice::new(b"x")] };
        let mut writes = vec![to_full, write(&closed, &[b"x", b"y"])];
        writes.extend(pairs.iter().map(|(socket, _)| write(socket, &[b"ab", b"", b"c"])));
        let mut results = Vec::new();
        write_all(&writes, |index, result| results.push((index, result)));
        if !is_in_use() {
            assert!(results.is_empty(), "nothing is made where there is no ring");
            return;
        }
        let kinds: Vec<_> = results
            .iter()
            .map(|(index, result)| (*index, result.as_ref().copied().map_err(io::Error::kind)))
            .collect();
        let mut expected = vec![(0, Err(ErrorKind::WouldBlock)), (1, Err(ErrorKind::BrokenPipe))];
        expected.extend((2..writes.len()).map(|index| (index, Ok(3))));
        assert_eq!(kinds, expected);
        drop(writes);
        for (_, other) in &mut pairs {
            let mut read = [0; 3];
            io::Read::read_exact(other, &mut read).unwrap();
            assert_eq!(&read, b"abc");
        }
    }

    #[test]
    fn a_thread_without_a_ring_makes_no_write() {
        refuse();
        let (socket, _other) = pair();
        write_all(&[write(&socket, &[b"x"])], |_, _| panic!("nothing was to be made"));
    }
}
