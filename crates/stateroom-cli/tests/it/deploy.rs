//! What `docs/deploy.md` says, tried with its own files and commands.

mod container;
mod copies;
mod machine;
mod proxies;
mod tls;
mod unit;

/// The block of code in the page that is of this language and has this text.
fn block(language: &str, text: &str) -> String {
    crate::page::block("deploy.md", language, text)
}
