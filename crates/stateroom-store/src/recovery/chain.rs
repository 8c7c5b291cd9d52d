//! What of the files of a log counts.

use crate::{
    files::OpenFile,
    log::{
        layout::{Header, LogId},
        scan::Found,
    },
};
use std::{path::PathBuf, sync::Arc};

/// A file in the log's folder, as it was read.
#[derive(Debug, Clone)]
pub(crate) struct LogFile {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<dyn OpenFile>,
    pub(crate) bytes: Arc<Vec<u8>>,
}

/// Up to where the checkpoint has the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) id: LogId,
    pub(crate) applied: u64,
    /// The check of the record of that position; 0 for none.
    pub(crate) check: u32,
}

/// Where a record is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    /// Which of the files.
    pub(crate) file: usize,
    pub(crate) offset: usize,
}

/// What of a log counts.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) id: LogId,
    /// The headers of the files, as far as they are whole.
    pub(crate) headers: Vec<Option<Header>>,
    /// The position of the first of `records`: the one after what the checkpoint has.
    pub(crate) from: u64,
    pub(crate) records: Vec<At>,
    /// The check of the last of them, or of the one before `from`.
    pub(crate) check: u32,
    /// The check of the record at `durable`.
    pub(crate) check_durable: u32,
    /// Up to which position records are known to have been flushed.
    pub(crate) durable: u64,
    /// How many records were lost in a power cut, of a log whose commits are not flushed.
    pub(crate) lost: u64,
}

/// Why a log cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// A file is of a newer format.
    Newer { path: PathBuf, found: u32 },
    /// Something that had been promised is missing. The path is that of the file, if it is one's.
    Damaged { path: Option<PathBuf>, what: String },
}

pub(super) fn damaged<T>(file: Option<&LogFile>, what: impl Into<String>) -> Result<T, Unusable> {
    Err(Unusable::Damaged { path: file.map(|file| file.path.clone()), what: what.into() })
}

impl Chain {
    /// The position of the last record.
    pub(crate) fn last(&self) -> u64 {
        self.from + self.records.len() as u64 - 1
    }

    /// The record at a place of this chain.
    pub(crate) fn record<'a>(&self, files: &'a [LogFile], at: At) -> Option<Found<'a>> {
        let header = self.headers.get(at.file)?.as_ref()?;
        Found::at(&files.get(at.file)?.bytes, at.offset, header.salt())
    }
}
