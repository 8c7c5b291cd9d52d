//! Stands in for `ring` where there is no io_uring: makes no write, so that each is made by itself.

use mio::net::TcpStream;
use smallvec::SmallVec;
use std::{
    io::{self, IoSlice},
    marker::PhantomData,
};

/// See `ring`.
#[derive(Debug)]
pub(crate) struct Write<'a>(PhantomData<&'a ()>);

impl<'a> Write<'a> {
    pub(crate) fn new(_: &'a TcpStream, _: SmallVec<[IoSlice<'a>; 2]>) -> Self {
        Write(PhantomData)
    }
}

/// See `ring`.
pub(crate) fn write_all(_: &[Write<'_>], _: impl FnMut(usize, io::Result<usize>)) {}

/// See `ring`.
#[cfg(test)]
pub(crate) fn refuse() {}
