//! No files of a crate depend on each other in a circle: a file can be read before the ones that use it.
//!
//! A file depends on another when it names something that the other defines. A re-export (`pub use`) is a facade, not a
//! dependency: a name is followed to the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Attribute, File, Item, ItemUse, UseTree, Visibility};

/// Path of a module below its crate's root; empty for the root.
type Module = Vec<String>;

/// A name that is re-exported, and the path that it stands for.
type Facade = BTreeMap<(Module, String), Vec<String>>;

fn module_of(source: &Path, file: &Path) -> Module {
    let below = file.strip_prefix(source).unwrap().with_extension("");
    let parts: Module = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts == ["lib"] || parts == ["main"] { Vec::new() } else { parts }
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// Every path of a use tree, with the name it gets.
fn flatten(tree: &UseTree, before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &with(&path.ident), found),
        UseTree::Name(name) if name.ident == "self" => {
            found.push((before.to_vec(), before.last().cloned().unwrap_or_default()));
        }
        UseTree::Name(name) => found.push((with(&name.ident), name.ident.to_string())),
        UseTree::Rename(rename) => found.push((with(&rename.ident), rename.rename.to_string())),
        UseTree::Glob(_) => found.push((before.to_vec(), "*".to_owned())),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, found)),
    }
}

/// Paths that a file names, without its tests and its re-exports.
#[derive(Default)]
struct Named {
    paths: Vec<Vec<String>>,
    facades: Vec<(Vec<String>, String)>,
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(module) if is_test(&module.attrs) => {}
            Item::Fn(function) if is_test(&function.attrs) => {}
            _ => syn::visit::visit_item(self, item),
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let mut found = Vec::new();
        flatten(&item.tree, &[], &mut found);
        if matches!(item.vis, Visibility::Inherited) {
            self.paths.extend(found.into_iter().map(|(path, _)| path));
        } else {
            self.facades.extend(found);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        syn::visit::visit_path(self, path);
    }
}

/// The path from the crate's root, when it is one inside the crate.
fn absolute(module: &Module, path: &[String], modules: &BTreeSet<Module>) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    let mut base = match first.as_str() {
        "crate" => Vec::new(),
        "self" => module.clone(),
        "super" => module[..module.len().saturating_sub(1)].to_vec(),
        name => {
            let child = [module.as_slice(), &[name.to_owned()]].concat();
            return modules.contains(&child).then(|| [child, rest.to_vec()].concat());
        }
    };
    let ups = if first == "super" { rest.iter().take_while(|part| *part == "super").count() } else { 0 };
    base.truncate(base.len().saturating_sub(ups));
    Some([base, rest[ups..].to_vec()].concat())
}

/// The file that defines what a path names.
fn definer(path: &[String], modules: &BTreeSet<Module>, facade: &Facade) -> Module {
    let mut path = path.to_vec();
    for _ in 0..16 {
        let depth = (0..=path.len()).rev().find(|depth| modules.contains(&path[..*depth])).unwrap_or_default();
        let module = path[..depth].to_vec();
        let Some(name) = path.get(depth) else { return module };
        match facade.get(&(module.clone(), name.clone())) {
            Some(target) => path = [target.clone(), path[depth + 1..].to_vec()].concat(),
            None => return module,
        }
    }
    path
}

/// Circles of a graph: Tarjan's strongly connected components with more than one member.
struct Circles<'a> {
    edges: &'a BTreeMap<Module, BTreeSet<Module>>,
    order: BTreeMap<Module, (usize, usize)>,
    stack: Vec<Module>,
    found: Vec<BTreeSet<Module>>,
}

impl Circles<'_> {
    fn go(&mut self, from: &Module) -> usize {
        let number = self.order.len();
        self.order.insert(from.clone(), (number, number));
        self.stack.push(from.clone());
        let mut low = number;
        for to in self.edges.get(from).into_iter().flatten() {
            if !self.order.contains_key(to) {
                low = low.min(self.go(to));
            } else if self.stack.contains(to) {
                low = low.min(self.order[to].0);
            }
        }
        if low == number {
            let at = self.stack.iter().position(|module| module == from).unwrap();
            let circle: BTreeSet<Module> = self.stack.split_off(at).into_iter().collect();
            if circle.len() > 1 {
                self.found.push(circle);
            }
        }
        low
    }
}

fn circles_of(sources: &BTreeMap<Module, File>) -> Vec<BTreeSet<Module>> {
    let modules: BTreeSet<Module> = sources.keys().cloned().collect();
    let mut named = BTreeMap::new();
    let mut facade = Facade::new();
    for (module, file) in sources {
        let mut names = Named::default();
        names.visit_file(file);
        for (path, name) in &names.facades {
            if let Some(path) = absolute(module, path, &modules) {
                facade.insert((module.clone(), name.clone()), path);
            }
        }
        named.insert(module.clone(), names.paths);
    }
    let mut edges = BTreeMap::<Module, BTreeSet<Module>>::new();
    for (module, paths) in named {
        let targets = paths.iter().filter_map(|path| absolute(&module, path, &modules));
        let mut targets: BTreeSet<Module> = targets.map(|path| definer(&path, &modules, &facade)).collect();
        targets.remove(&module);
        edges.insert(module, targets);
    }
    let mut circles = Circles { edges: &edges, order: BTreeMap::new(), stack: Vec::new(), found: Vec::new() };
    for module in edges.keys() {
        if !circles.order.contains_key(module) {
            circles.go(module);
        }
    }
    circles.found
}

fn sources_below(source: &Path) -> BTreeMap<Module, File> {
    let mut files = Vec::new();
    files_below(source, &mut files);
    let read = |path: &PathBuf| syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap();
    files.iter().map(|path| (module_of(source, path), read(path))).collect()
}

#[test]
fn no_files_depend_on_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = std::fs::read_dir(root.join("crates")).unwrap().flatten().map(|entry| entry.path());
    let folders: Vec<PathBuf> = crates.chain([root.to_owned(), root.join("workers")]).collect();
    let mut problems = Vec::new();
    for folder in folders {
        let source = folder.join("src");
        for circle in circles_of(&sources_below(&source)) {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            problems.push(format!("{}: {}", source.strip_prefix(root).unwrap().display(), names.join(", ")));
        }
    }
    assert!(problems.is_empty(), "files in circles:\n{}", problems.join("\n"));
}

#[test]
fn a_circle_is_found_and_a_facade_is_none() {
    let parse = |files: &[(&str, &str)]| -> BTreeMap<Module, File> {
        let module = |name: &str| name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        files.iter().map(|(name, text)| (module(name), syn::parse_file(text).unwrap())).collect()
    };
    let facade = parse(&[("", "mod a; mod b; pub use a::A;"), ("a", "pub struct A;"), ("b", "use crate::A;")]);
    assert!(circles_of(&facade).is_empty());
    let circle = parse(&[("", "mod a; mod b;"), ("a", "use crate::b::B;"), ("b", "fn f() -> super::a::A { loop {} }")]);
    assert_eq!(circles_of(&circle).len(), 1);
    let parent = parse(&[("", "mod a; struct App; fn f() { a::f() }"), ("a", "use super::App;")]);
    assert_eq!(circles_of(&parent).len(), 1, "a parent that calls its child, and a child that names its parent's type");
}
