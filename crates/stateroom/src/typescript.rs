//! The messages of a typed service, as TypeScript types.

use crate::TypedService;
use std::{
    any::TypeId,
    collections::{BTreeMap, HashSet},
};
use ts_rs::{Config, TS, TypeVisitor};

/// The text of a TypeScript module with the types of what a room of `S` says and hears: `FromRoom` and `ToRoom`, and all
/// that they are made of. With the feature `typescript`.
///
/// Numbers are `number`, also those of 64 bits: that is what JSON is read as.
#[must_use]
pub fn typescript<S: TypedService>() -> String
where
    S::In: TS + 'static,
    S::Out: TS + 'static,
{
    let config = Config::new().with_large_int("number");
    let (said, heard) = (S::Out::name(&config), S::In::name(&config));
    // So that it can be told from the others by the field that tells these apart.
    let no_tag = tag(&S::Out::decl(&config)).map(|tag| format!("{tag}?: undefined, "));
    let no_tag = no_tag.unwrap_or_default();
    let mut text = format!(
        "/** What the room sends. `error` tells why what was sent to it is no message. */\n\
         export type FromRoom = {said} | {{ {no_tag}error: string }};\n\n\
         /** What the room hears. */\n\
         export type ToRoom = {heard};\n"
    );
    let mut types = Types { config, seen: HashSet::new(), declared: BTreeMap::new() };
    types.visit::<S::Out>();
    types.visit::<S::In>();
    for declaration in types.declared.values() {
        text.push('\n');
        text += declaration;
        text.push('\n');
    }
    text
}

/// The field that tells the variants of an enum apart, with quotes, where serde is told to write one.
fn tag(declaration: &str) -> Option<String> {
    let (tag, rest) = declaration.split_once("= { \"")?.1.split_once('"')?;
    rest.starts_with(": \"").then(|| format!("\"{tag}\""))
}

/// Notes each type once, with all that it is made of.
struct Types {
    config: Config,
    seen: HashSet<TypeId>,
    /// By name: ts-rs tells them in another order each time it is compiled.
    declared: BTreeMap<String, String>,
}

impl TypeVisitor for Types {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        // Those of the language have no declaration.
        if T::output_path().is_some() {
            let (docs, declaration) = (T::docs().unwrap_or_default(), T::decl(&self.config));
            self.declared.insert(T::ident(&self.config), format!("{docs}export {declaration}"));
            T::visit_dependencies(self);
        }
        T::visit_generics(self);
    }
}
