//! Which modules can sleep: those whose whole state is linear memory and numbers in globals.

use wasmtime::wasmparser::{BinaryReaderError, FunctionBody, Operator};

/// Why rooms of a module cannot sleep: it can have state that no snapshot holds. They run all the
/// same.
///
/// Compilers of Rust and C write such modules only when they are asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CannotSleep {
    /// It has the instruction `table.set`.
    #[error("its instruction `table.set` changes a table, which no snapshot holds")]
    TableSet,
    /// It has the instruction `table.grow`.
    #[error("its instruction `table.grow` changes a table, which no snapshot holds")]
    TableGrow,
    /// It has the instruction `table.fill`.
    #[error("its instruction `table.fill` changes a table, which no snapshot holds")]
    TableFill,
    /// It has the instruction `table.copy`.
    #[error("its instruction `table.copy` changes a table, which no snapshot holds")]
    TableCopy,
    /// It has the instruction `table.init`.
    #[error("its instruction `table.init` changes a table, which no snapshot holds")]
    TableInit,
    /// It has the instruction `elem.drop`.
    #[error("its instruction `elem.drop` drops an element segment, which no snapshot tells")]
    ElemDrop,
    /// It has the instruction `data.drop`.
    #[error("its instruction `data.drop` drops a data segment, which no snapshot tells")]
    DataDrop,
    /// It has a mutable global that holds a reference.
    #[error("it has a mutable global that holds a reference, which no snapshot can hold")]
    ReferenceGlobal,
    /// It has more mutable globals than anybody needs.
    #[error("it has more than {} mutable globals", CannotSleep::MOST_GLOBALS)]
    TooManyGlobals,
}

impl CannotSleep {
    /// Mutable globals that a module may have; a module of Rust has one to three.
    pub(crate) const MOST_GLOBALS: usize = 1_000;

    /// All of them, with the word by which a prepared module tells it.
    const ALL: [(CannotSleep, &'static str); 9] = [
        (CannotSleep::TableSet, "table.set"),
        (CannotSleep::TableGrow, "table.grow"),
        (CannotSleep::TableFill, "table.fill"),
        (CannotSleep::TableCopy, "table.copy"),
        (CannotSleep::TableInit, "table.init"),
        (CannotSleep::ElemDrop, "elem.drop"),
        (CannotSleep::DataDrop, "data.drop"),
        (CannotSleep::ReferenceGlobal, "reference-global"),
        (CannotSleep::TooManyGlobals, "too-many-globals"),
    ];

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(reason, _)| *reason == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn from_word(word: &str) -> Option<CannotSleep> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(reason, _)| *reason)
    }
}

/// Looks for instructions in `body` that change what no snapshot holds.
pub(crate) fn examine(body: &FunctionBody<'_>) -> Result<Option<CannotSleep>, BinaryReaderError> {
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let reason = match operators.read()? {
            Operator::TableSet { .. } => CannotSleep::TableSet,
            Operator::TableGrow { .. } => CannotSleep::TableGrow,
            Operator::TableFill { .. } => CannotSleep::TableFill,
            Operator::TableCopy { .. } => CannotSleep::TableCopy,
            Operator::TableInit { .. } => CannotSleep::TableInit,
            Operator::ElemDrop { .. } => CannotSleep::ElemDrop,
            Operator::DataDrop { .. } => CannotSleep::DataDrop,
            _ => continue,
        };
        return Ok(Some(reason));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_word_that_means_it() {
        for (reason, word) in CannotSleep::ALL {
            assert_eq!(reason.word(), word);
            assert_eq!(CannotSleep::from_word(word), Some(reason));
        }
        assert_eq!(CannotSleep::from_word("insomnia"), None);
    }
}
