//! Files of sources, and the paths that they name.

use std::fs;
use std::path::Path;

/// One file below the folder that was read.
pub(super) struct Source {
    /// Its path in that folder.
    pub(super) file: String,
    /// The path of its module: `["http", "cgi"]` of `http/cgi.rs`, and of `http/cgi/mod.rs`; none of `lib.rs`.
    pub(super) module: Vec<String>,
    /// Its lines without comments.
    pub(super) code: String,
}

/// Returns every source in a folder of the repository: its path there, and its text.
pub(crate) fn texts(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push((file, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 10, "the sources are where they should be");
    found
}

/// Reads every source in a folder of the repository.
pub(super) fn sources(folder: &str) -> Vec<Source> {
    let read = |(file, text): (String, String)| {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        Source { module: module_of(&file), code: code.collect::<Vec<_>>().join("\n"), file }
    };
    texts(folder).into_iter().map(read).collect()
}

fn module_of(file: &str) -> Vec<String> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if ["mod", "lib"].contains(&&*module[module.len() - 1]) || (module == ["main"]) {
        module.pop();
    }
    module
}

impl Source {
    /// Returns the room of the file: the first part of its path.
    pub(super) fn room(&self) -> &str {
        self.file.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Returns the file as it is without its unit tests, which stand at its end.
    pub(super) fn without_tests(&self) -> Self {
        let end = self.code.find("mod tests {").unwrap_or(self.code.len());
        Self { file: self.file.clone(), module: self.module.clone(), code: self.code[..end].to_owned() }
    }

    /// Returns the modules that the file declares and other files hold.
    pub(super) fn children(&self) -> Vec<&str> {
        let lines = self.code.lines().filter_map(|line| line.strip_suffix(';')?.rsplit_once("mod "));
        lines.map(|(_, name)| name).collect()
    }

    /// Returns every path that begins with one of `starts`, in `use` and elsewhere; `use` trees are laid out.
    pub(super) fn paths(&self, starts: &[&str]) -> Vec<String> {
        let mut paths = Vec::new();
        let mut rest = &*self.code;
        // In front of each `use` there is other code; the tree of a `use` ends with a semicolon.
        while let Some(at) = find_use(rest) {
            let (code, statement) = rest.split_at(at);
            let (tree, after) = statement.split_once(';').unwrap();
            paths.extend(inline_paths(code, starts));
            let is_wanted = |path: &String| starts.contains(&path.split("::").next().unwrap());
            paths.extend(tree_paths(tree).into_iter().filter(is_wanted));
            rest = after;
        }
        paths.extend(inline_paths(rest, starts));
        paths
    }
}

/// Where the tree of the next `use` begins.
fn find_use(code: &str) -> Option<usize> {
    let mut start = 0;
    for line in code.split_inclusive('\n') {
        let word = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        let word = word.trim_start_matches("pub ");
        if word.starts_with("use ") {
            return Some(start + line.find("use ").unwrap() + "use ".len());
        }
        start += line.len();
    }
    None
}

/// The paths that begin with one of `starts` in code that is no `use`.
fn inline_paths(code: &str, starts: &[&str]) -> Vec<String> {
    let mut paths = Vec::new();
    for start in starts {
        for (at, _) in code.match_indices(&format!("{start}::")) {
            let is_start = !code[..at].ends_with(|c: char| is_of_word(c) || c == ':' || c == '$');
            paths.extend(is_start.then(|| tree_paths(&code[at..])).into_iter().flatten());
        }
    }
    paths
}

/// The paths of a `use` tree: of `a::{b, c::D}` they are `a::b` and `a::c::D`.
fn tree_paths(tree: &str) -> Vec<String> {
    let end = tree.find(|c| !is_of_word(c) && c != ':').unwrap_or(tree.len());
    let (start, rest) = tree.split_at(end);
    match rest.strip_prefix('{') {
        Some(list) if start.is_empty() || start.ends_with("::") => {
            // The last item may have a comma, too.
            let items = items(list).into_iter().map(str::trim).filter(|item| !item.is_empty());
            let paths = items.flat_map(tree_paths);
            paths.map(|path| format!("{start}{path}")).collect()
        }
        _ => vec![start.to_owned()],
    }
}

/// The items of a brace's inside, up to its end.
fn items(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
