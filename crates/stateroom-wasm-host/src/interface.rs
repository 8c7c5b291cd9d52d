//! The guest interface: what a module exports and imports. Finds whatever is wrong with it when the module
//! is loaded.

use crate::{carry_over, error::LoadError, imports, request, wasi};
use std::fmt::Write;
use wasmtime::{ExternType, FuncType, Module};

/// The version of the guest interface that this host speaks, and its protocol.
pub(crate) const API_VERSION: u32 = 1;
pub(crate) const API_PROTOCOL: u32 = 0;

/// How a module is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// One exported function for each event, as in 0.2 and now.
    NamedFunctions,
    /// One exported function for all events, which are encoded, as in 0.4.
    EncodedMessages,
}

/// A function of the guest interface: its name, and how many numbers (all `i32`) it takes and gives.
struct Function(&'static str, usize, usize);

const NAMED_FUNCTIONS: &[Function] = &[
    Function("initialize", 2, 0),
    Function("connect", 1, 0),
    Function("disconnect", 1, 0),
    Function("message", 3, 0),
    Function("binary", 3, 0),
    Function("timer", 0, 0),
    Function("jam_malloc", 1, 1),
    Function("jam_free", 2, 0),
];
const ENCODED_MESSAGES: &[Function] = &[
    Function("stateroom_recv", 2, 0),
    Function("stateroom_malloc", 1, 1),
    Function("stateroom_free", 2, 0),
];
const OPTIONAL: &[Function] = &[
    Function("_initialize", 0, 0),
    Function("stateroom_v1_buffer", 1, 1),
    Function("stateroom_v1_left", 2, 0),
    Function(carry_over::HAND_OVER, 0, 1),
    Function(carry_over::TAKE_OVER, 4, 1),
    Function(request::REQUEST, 2, 1),
];
const IMPORTS: &[Function] = &[
    Function("send_message", 3, 0),
    Function("send_binary", 3, 0),
    Function("set_timer", 1, 0),
    Function("stateroom_send", 2, 0),
];

/// Those of the module `stateroom_v1`.
const IMPORTS_V1: &[Function] = &[
    Function("close", 4, 0),
    Function("clients", 2, 1),
    Function("user", 3, 1),
    Function("claim", 5, 1),
    Function("config", 4, 1),
];

impl Generation {
    fn functions(self) -> &'static [Function] {
        match self {
            Generation::NamedFunctions => NAMED_FUNCTIONS,
            Generation::EncodedMessages => ENCODED_MESSAGES,
        }
    }

    /// The globals that hold the addresses of the version and the protocol, with the values there.
    pub(crate) fn versions(self) -> [(&'static str, u32); 2] {
        match self {
            Generation::NamedFunctions => {
                [("JAMSOCKET_API_VERSION", API_VERSION), ("JAMSOCKET_API_PROTOCOL", API_PROTOCOL)]
            }
            Generation::EncodedMessages => {
                [("STATEROOM_API_VERSION", API_VERSION), ("STATEROOM_API_PROTOCOL", API_PROTOCOL)]
            }
        }
    }
}

/// Looks at the names and types of what `wasm` imports and exports.
pub(crate) fn check(module: &str, wasm: &Module) -> Result<Generation, LoadError> {
    let generation = if wasm.get_export("stateroom_recv").is_some() {
        Generation::EncodedMessages
    } else {
        Generation::NamedFunctions
    };
    let missing =
        |export, wanted| LoadError::MissingExport { module: module.into(), export, wanted };
    let wrong = |item: &str, wanted: &str, found: &ExternType| LoadError::WrongSignature {
        module: module.into(),
        item: item.into(),
        wanted: wanted.into(),
        found: describe(found),
    };

    match wasm.get_export("memory") {
        Some(ExternType::Memory(_)) => {}
        Some(other) => return Err(wrong("memory", "a memory", &other)),
        None => return Err(missing("memory", "(a memory)".into())),
    }
    for function in generation.functions() {
        match wasm.get_export(function.0) {
            Some(found) if function.is(&found) => {}
            Some(found) => return Err(wrong(function.0, &function.wanted(), &found)),
            None => return Err(missing(function.0, format!("({})", function.wanted()))),
        }
    }
    for function in OPTIONAL {
        if let Some(found) = wasm.get_export(function.0).filter(|found| !function.is(found)) {
            return Err(wrong(function.0, &function.wanted(), &found));
        }
    }
    for (name, _) in generation.versions() {
        match wasm.get_export(name) {
            Some(ExternType::Global(global)) if global.content().is_i32() => {}
            Some(found) => return Err(wrong(name, "a global i32", &found)),
            None => return Err(missing(name, "(a global i32)".into())),
        }
    }
    for import in wasm.imports() {
        let found = import.ty();
        let item = format!("{}.{}", import.module(), import.name());
        let imports = if import.module() == imports::MODULE_V1 { IMPORTS_V1 } else { IMPORTS };
        let known = imports.iter().find(|function| function.0 == import.name());
        match (import.module(), &found, known) {
            (wasi::MODULE, ExternType::Func(_), _) => {}
            (imports::MODULE | imports::MODULE_V1, _, Some(function)) if function.is(&found) => {}
            (imports::MODULE | imports::MODULE_V1, _, Some(function)) => {
                return Err(wrong(&item, &function.wanted(), &found));
            }
            (imports::MODULE_V1, ..) => {
                return Err(LoadError::NewerImport { module: module.into(), import: item });
            }
            _ => return Err(LoadError::UnknownImport { module: module.into(), import: item }),
        }
    }
    Ok(generation)
}

impl Function {
    fn is(&self, found: &ExternType) -> bool {
        let ExternType::Func(found) = found else { return false };
        found.params().len() == self.1
            && found.results().len() == self.2
            && found.params().chain(found.results()).all(|ty| ty.is_i32())
    }

    fn wanted(&self) -> String {
        let Function(_, takes, gives) = self;
        let list = |count: &usize| vec!["i32"; *count].join(", ");
        match gives {
            0 => format!("a function ({})", list(takes)),
            _ => format!("a function ({}) -> {}", list(takes), list(gives)),
        }
    }
}

fn describe(found: &ExternType) -> String {
    match found {
        ExternType::Func(function) => describe_function(function),
        ExternType::Global(global) => format!("a global {}", global.content()),
        ExternType::Table(_) => "a table".into(),
        ExternType::Memory(_) => "a memory".into(),
        ExternType::Tag(_) => "a tag".into(),
    }
}

fn describe_function(function: &FuncType) -> String {
    let list = |types: Vec<String>| types.join(", ");
    let mut text =
        format!("a function ({})", list(function.params().map(|ty| ty.to_string()).collect()));
    if function.results().len() > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, " -> {}", list(function.results().map(|ty| ty.to_string()).collect()));
    }
    text
}
