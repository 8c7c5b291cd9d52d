//! Which files of a crate use which, as their paths and `use` declarations tell. What is named through
//! a re-export is found where it is; calls of methods are not seen.

use proc_macro2::{TokenStream, TokenTree};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

/// What each file uses: the other file, and the path by which it is named.
pub(crate) type Uses = BTreeMap<PathBuf, BTreeMap<PathBuf, String>>;

/// How often a name may lead to another one, so that names which lead in a circle end.
const MOST_NAMES: u32 = 20;

/// Reads the crate whose first file is `root`.
pub(crate) fn of_crate(root: &Path) -> Uses {
    let mut crate_ = Crate { modules: Vec::new() };
    crate_.read_file(root, None, root.parent().unwrap());
    let mut uses = Uses::new();
    for (place, module) in crate_.modules.iter().enumerate() {
        let file = uses.entry(module.file.clone()).or_default();
        for path in &module.paths {
            if let Some(target) = crate_.find(place, path, MOST_NAMES) {
                let target = &crate_.modules[target].file;
                if *target != module.file {
                    file.entry(target.clone()).or_insert_with(|| path.join("::"));
                }
            }
        }
    }
    uses
}

/// Files that use each other, each the next one and the last one the first; `None` if there are none.
pub(crate) fn circle(uses: &Uses) -> Option<Vec<PathBuf>> {
    let mut left: BTreeSet<&PathBuf> = uses.keys().collect();
    // Whoever uses none of those that are left is in no circle.
    loop {
        let before = left.len();
        let is_left = left.clone();
        left.retain(|file| uses[*file].keys().any(|used| is_left.contains(used)));
        if left.len() == before {
            break;
        }
    }
    let mut way = vec![*left.first()?];
    loop {
        let next = uses[way[way.len() - 1]].keys().find(|used| left.contains(used))?;
        if let Some(first) = way.iter().position(|file| *file == next) {
            return Some(way[first..].iter().map(|file| (*file).clone()).collect());
        }
        way.push(next);
    }
}

struct Crate {
    modules: Vec<Module>,
}

struct Module {
    file: PathBuf,
    parent: Option<usize>,
    children: HashMap<String, usize>,
    /// What `use` declarations call by a name.
    names: HashMap<String, Vec<String>>,
    /// What they take all of.
    globs: Vec<Vec<String>>,
    /// What is named, but for what is only re-exported.
    paths: Vec<Vec<String>>,
}

impl Crate {
    /// Reads a module of which the files of its children are in `folder`.
    fn read_file(&mut self, file: &Path, parent: Option<usize>, folder: &Path) -> usize {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let tokens = text.parse().unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let module = self.add(file, parent);
        self.read(module, tokens, folder);
        module
    }

    fn add(&mut self, file: &Path, parent: Option<usize>) -> usize {
        self.modules.push(Module {
            file: file.to_owned(),
            parent,
            children: HashMap::new(),
            names: HashMap::new(),
            globs: Vec::new(),
            paths: Vec::new(),
        });
        self.modules.len() - 1
    }

    fn read(&mut self, module: usize, tokens: TokenStream, folder: &Path) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let before = |distance: usize| at.checked_sub(distance).and_then(|at| tokens.get(at));
            let next = tokens.get(at + 1);
            // Behind a dot is a field or a method, and behind `>::` what it is of was no path.
            let goes_on = (is(before(1), '.') && !is(before(2), '.'))
                || (is(before(1), ':') && is(before(2), ':'));
            match token {
                TokenTree::Ident(word) if *word == "use" && !is(next, '<') => {
                    let end = at + tokens[at..].iter().take_while(|it| !is(Some(it), ';')).count();
                    let is_public = is_word(before(1), "pub") || is_word(before(2), "pub");
                    for (name, path) in declared(&[], &tokens[at + 1..end]) {
                        let module = &mut self.modules[module];
                        if !is_public {
                            module.paths.push(path.clone());
                        }
                        match name.as_str() {
                            "*" => module.globs.push(path),
                            _ => _ = module.names.insert(name, path),
                        }
                    }
                    at = end;
                }
                TokenTree::Ident(word)
                    if *word == "mod"
                        && let Some(TokenTree::Ident(name)) = next =>
                {
                    let child = match tokens.get(at + 2) {
                        Some(TokenTree::Group(body)) => {
                            let file = self.modules[module].file.clone();
                            let child = self.add(&file, Some(module));
                            self.read(child, body.stream(), &folder.join(name.to_string()));
                            child
                        }
                        _ => self.read_child(module, &name.to_string(), before(1), folder),
                    };
                    self.modules[module].children.entry(name.to_string()).or_insert(child);
                    at += 2;
                }
                TokenTree::Ident(word)
                    if !(goes_on || (is(before(1), '$') && *word != "crate")) =>
                {
                    let path = path(&tokens[at..]);
                    at += 3 * (path.len() - 1);
                    self.modules[module].paths.push(path);
                }
                // Who may see it is no use of it.
                TokenTree::Group(_) if is_word(before(1), "pub") => {}
                TokenTree::Group(group) => self.read(module, group.stream(), folder),
                _ => {}
            }
            at += 1;
        }
    }

    /// Reads the module `name` from its own file, which `before` may say the path of.
    fn read_child(
        &mut self,
        parent: usize,
        name: &str,
        before: Option<&TokenTree>,
        folder: &Path,
    ) -> usize {
        let told = before.map(ToString::to_string).unwrap_or_default();
        if told.starts_with("[path = ") || told.starts_with("[path=") {
            let file = self.modules[parent].file.parent().unwrap();
            let file = file.join(told.split('"').nth(1).unwrap());
            let folder = file.parent().unwrap().to_owned();
            return self.read_file(&file, Some(parent), &folder);
        }
        let (file, below) = (folder.join(format!("{name}.rs")), folder.join(name));
        let file = if file.is_file() { file } else { below.join("mod.rs") };
        self.read_file(&file, Some(parent), &below)
    }

    /// In which module is what `path` names in the module `from`; `None` if it is of another crate.
    fn find(&self, from: usize, path: &[String], names: u32) -> Option<usize> {
        let module = &self.modules[from];
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => 0,
            "self" => from,
            "super" => module.parent?,
            // By itself it may be a variable.
            name if module.children.contains_key(name) && !rest.is_empty() => module.children[name],
            name => {
                let by_name = self.named(from, name, rest, names);
                return by_name.or_else(|| self.by_glob(from, path, names));
            }
        };
        let mut at = start;
        for (place, name) in rest.iter().enumerate() {
            let module = &self.modules[at];
            at = match (name.as_str(), module.children.get(name)) {
                ("super", _) => module.parent?,
                (_, Some(child)) => *child,
                (name, None) => {
                    return self.named(at, name, &rest[place + 1..], names).or(Some(at));
                }
            };
        }
        Some(at)
    }

    /// The same of what a `use` declaration calls `name`, and then `rest`.
    fn named(&self, from: usize, name: &str, rest: &[String], names: u32) -> Option<usize> {
        let path = self.modules[from].names.get(name)?;
        let whole: Vec<String> = path.iter().chain(rest).cloned().collect();
        self.find(from, &whole, names.checked_sub(1)?)
    }

    /// The same of what a module has of another one, all of which it takes.
    fn by_glob(&self, from: usize, path: &[String], names: u32) -> Option<usize> {
        let (names, first) = (names.checked_sub(1)?, path.first()?);
        let all = self.modules[from].globs.iter().filter_map(|glob| self.find(from, glob, names));
        all.filter(|of| *of != from)
            .filter(|of| {
                self.modules[*of].children.contains_key(first)
                    || self.modules[*of].names.contains_key(first)
            })
            .find_map(|of| self.find(of, path, names))
    }
}

/// What a `use` declaration declares in `tokens`, behind `path`: names, and what they stand for.
fn declared(path: &[String], tokens: &[TokenTree]) -> Vec<(String, Vec<String>)> {
    let mut declared = Vec::new();
    let trees = tokens.split(|token| is(Some(token), ','));
    for tree in trees.filter(|tree| !tree.is_empty()) {
        let (mut path, mut name) = (path.to_owned(), None);
        for token in tree {
            match token {
                TokenTree::Punct(star) if star.as_char() == '*' => name = Some("*".to_owned()),
                TokenTree::Ident(word) if *word == "as" => name = Some(String::new()),
                TokenTree::Ident(word) if name.is_some() => name = Some(word.to_string()),
                TokenTree::Ident(word) if *word == "self" && !path.is_empty() => {}
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) => {
                    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
                    declared.extend(self::declared(&path, &tokens));
                    path.clear();
                }
                _ => {}
            }
        }
        if let Some(last) = path.last() {
            declared.push((name.unwrap_or_else(|| last.clone()), path));
        }
    }
    declared
}

/// The path that begins with the first of `tokens`.
fn path(tokens: &[TokenTree]) -> Vec<String> {
    let mut path = Vec::new();
    for tokens in tokens.chunks(3) {
        let Some(TokenTree::Ident(word)) = tokens.first() else { break };
        path.push(word.to_string());
        if !is(tokens.get(1), ':') || !is(tokens.get(2), ':') {
            break;
        }
    }
    path
}

fn is(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

fn is_word(token: Option<&TokenTree>, wanted: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(word)) if *word == wanted)
}
