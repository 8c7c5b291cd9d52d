//! The templates: copies of the repository's examples, which a published package could not reach.

/// What a project starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// A number that everybody sees and can change.
    Counter,
    /// Text messages with names.
    Chat,
    /// Drawing together, with everybody's cursor; binary messages.
    Whiteboard,
}

/// Includes the files of a template by name, with those that all pages share.
macro_rules! files {
    ($template:literal) => {
        [
            ("static/room.js", include_str!("../../templates/room.js")),
            ("static/room.css", include_str!("../../templates/room.css")),
            ("static/stateroom-client.js", include_str!("../../templates/stateroom-client.js")),
            ("load.txt", include_str!(concat!("../../templates/", $template, "/load.txt"))),
            ("src/lib.rs", include_str!(concat!("../../templates/", $template, "/lib.rs"))),
            (
                "static/index.html",
                include_str!(concat!("../../templates/", $template, "/index.html")),
            ),
        ]
    };
}

impl Template {
    /// Its code, its page and its script for `stateroom load`, and where they go in a project.
    pub(super) fn files(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Template::Counter => files!("counter").into(),
            Template::Chat => {
                let types = include_str!("../../templates/chat/types.d.ts");
                [&files!("chat")[..], &[("static/types.d.ts", types)]].concat()
            }
            Template::Whiteboard => files!("whiteboard").into(),
        }
    }

    /// Whether its messages are types, which are told as TypeScript.
    pub(super) fn is_typed(self) -> bool {
        self == Template::Chat
    }

    /// Whether each of the room's answers to that script tells which message it is for.
    pub(super) fn is_load_verified(self) -> bool {
        self.files().iter().any(|(file, text)| *file == "load.txt" && text.contains("{stamp}"))
    }

    /// What `stateroom load` is told besides the script.
    pub(super) fn load(self) -> &'static str {
        match self {
            Template::Counter | Template::Chat => "--expect broadcast",
            Template::Whiteboard => "--expect broadcast --binary",
        }
    }
}
