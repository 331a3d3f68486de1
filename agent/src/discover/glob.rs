//! Globs as Filebeat's `paths` have them: Go's `filepath.Glob`, and `**` for up to eight levels of directories.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// How many levels of directories `**` stands for.
const LEVELS: usize = 8;

/// A compiled glob.
#[derive(Clone, Debug)]
pub struct Glob {
    /// The part before the first component with a wildcard.
    base: PathBuf,
    components: Vec<Component>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Component {
    /// One name, to be matched.
    Name(Vec<u8>),
    /// `**`
    AnyLevels,
}

/// What a glob led to.
#[derive(Debug, Default)]
pub struct Found {
    /// Paths that match; what they are was not looked at.
    pub paths: Vec<PathBuf>,
    /// Directories in which something may appear that matches.
    pub directories: Vec<PathBuf>,
    /// Directories that may not be looked into.
    pub forbidden: Vec<PathBuf>,
}

fn is_wild(component: &[u8]) -> bool {
    component.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

impl Glob {
    /// Compiles a glob. Without `recursive`, `**` is no more than `*`.
    pub fn new(pattern: &str, recursive: bool) -> Glob {
        let mut base = PathBuf::from(if pattern.starts_with('/') { "/" } else { "." });
        let mut components = Vec::new();
        for component in pattern.as_bytes().split(|byte| *byte == b'/').filter(|component| !component.is_empty()) {
            if components.is_empty() && !is_wild(component) {
                base.push(OsStr::from_bytes(component));
            } else if component == b"**" && recursive {
                components.push(Component::AnyLevels);
            } else {
                components.push(Component::Name(component.to_vec()));
            }
        }
        // A trailing `**` matches files at any depth.
        if components.last() == Some(&Component::AnyLevels) {
            components.push(Component::Name(b"*".to_vec()));
        }
        if components.is_empty()
            && let (Some(parent), Some(name)) = (base.parent().map(Path::to_owned), base.file_name())
        {
            components.push(Component::Name(escaped(name.as_bytes())));
            base = parent;
        }
        if let Ok(stripped) = base.strip_prefix(".")
            && !stripped.as_os_str().is_empty()
        {
            base = stripped.to_owned();
        }
        Glob { base, components }
    }

    /// Looks for what matches.
    pub fn find(&self, found: &mut Found) {
        walk(&self.base, &self.components, found);
    }

    /// Whether a path matches.
    pub fn matches(&self, path: &Path) -> bool {
        let Ok(rest) = path.strip_prefix(&self.base) else { return false };
        let names: Vec<&[u8]> = rest.components().map(|name| name.as_os_str().as_bytes()).collect();
        names_match(&self.components, &names, LEVELS)
    }
}

fn escaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for byte in name {
        if is_wild(&[*byte]) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

fn walk(directory: &Path, components: &[Component], found: &mut Found) {
    match components {
        [] => {}
        [Component::AnyLevels, rest @ ..] => walk_levels(directory, rest, LEVELS, found),
        [Component::Name(pattern), rest @ ..] => {
            found.directories.push(directory.to_owned());
            if !is_wild(pattern) {
                let path = directory.join(OsStr::from_bytes(pattern));
                if !rest.is_empty() {
                    walk(&path, rest, found);
                } else if fs::symlink_metadata(&path).is_ok() {
                    found.paths.push(path);
                }
                return;
            }
            for entry in entries(directory, found) {
                if !name_matches(pattern, entry.file_name().as_bytes()) {
                    continue;
                }
                if rest.is_empty() {
                    found.paths.push(entry.path());
                } else if is_directory(&entry) {
                    walk(&entry.path(), rest, found);
                }
            }
        }
    }
}

fn walk_levels(directory: &Path, rest: &[Component], levels: usize, found: &mut Found) {
    walk(directory, rest, found);
    if levels > 0 {
        for entry in entries(directory, found).iter().filter(|entry| is_directory(entry)) {
            walk_levels(&entry.path(), rest, levels - 1, found);
        }
    }
}

fn entries(directory: &Path, found: &mut Found) -> Vec<fs::DirEntry> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.flatten().collect(),
        Err(error) => {
            let is_forbidden = error.kind() == io::ErrorKind::PermissionDenied;
            if is_forbidden && !found.forbidden.iter().any(|known| known == directory) {
                found.forbidden.push(directory.to_owned());
            }
            Vec::new()
        }
    }
}

fn is_directory(entry: &fs::DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_dir(),
        Ok(kind) => kind.is_dir(),
        Err(_) => false,
    }
}

fn names_match(components: &[Component], names: &[&[u8]], levels: usize) -> bool {
    match (components, names) {
        ([], []) => true,
        ([Component::AnyLevels, rest @ ..], _) => {
            (0..=levels.min(names.len())).any(|skipped| names_match(rest, &names[skipped..], levels))
        }
        ([Component::Name(pattern), rest @ ..], [name, names @ ..]) => {
            name_matches(pattern, name) && names_match(rest, names, levels)
        }
        _ => false,
    }
}

/// Whether a name matches a pattern of `*`, `?`, `[a-z]`, `[^a-z]` and `\x`.
pub fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Where to go on when the last star has to take one byte more.
    let mut star: Option<(usize, usize)> = None;
    loop {
        if at < pattern.len() && pattern[at] == b'*' {
            star = Some((at + 1, seen));
            at += 1;
            continue;
        }
        if seen == name.len() && at == pattern.len() {
            return true;
        }
        if seen < name.len()
            && at < pattern.len()
            && let Some((pattern_used, name_used)) = one(&pattern[at..], &name[seen..])
        {
            at += pattern_used;
            seen += name_used;
            continue;
        }
        match star {
            Some((behind, from)) if from < name.len() => {
                star = Some((behind, from + 1));
                (at, seen) = (behind, from + 1);
            }
            _ => return false,
        }
    }
}

/// Matches one character; how much of pattern and name it takes.
fn one(pattern: &[u8], name: &[u8]) -> Option<(usize, usize)> {
    match pattern[0] {
        b'?' => Some((1, character(name).1)),
        b'[' => class(pattern, name),
        b'\\' if pattern.len() > 1 => (pattern[1] == name[0]).then_some((2, 1)),
        byte => (byte == name[0]).then_some((1, 1)),
    }
}

/// The first character and its length; bytes that are not UTF-8 count singly.
fn character(text: &[u8]) -> (char, usize) {
    let len = match text.first() {
        Some(0xC0..0xE0) => 2,
        Some(0xE0..0xF0) => 3,
        Some(0xF0..) => 4,
        _ => 1,
    };
    let decoded = text.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok()).and_then(|s| s.chars().next());
    match decoded {
        Some(decoded) => (decoded, len),
        None => (text.first().map_or('\0', |byte| char::from(*byte)), 1),
    }
}

fn class(pattern: &[u8], name: &[u8]) -> Option<(usize, usize)> {
    let (wanted, used) = character(name);
    let mut at = 1;
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    let mut hit = false;
    let mut first = true;
    loop {
        match pattern.get(at)? {
            b']' if !first => break,
            _ => {
                let (low, len) = class_character(&pattern[at..])?;
                at += len;
                let mut high = low;
                if pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|byte| *byte != b']') {
                    let (end, len) = class_character(&pattern[at + 1..])?;
                    high = end;
                    at += 1 + len;
                }
                hit |= (low..=high).contains(&wanted);
            }
        }
        first = false;
    }
    (hit != negated).then_some((at + 1, used))
}

fn class_character(pattern: &[u8]) -> Option<(char, usize)> {
    match pattern {
        [b'\\', rest @ ..] if !rest.is_empty() => {
            let (character, len) = character(rest);
            Some((character, len + 1))
        }
        [] => None,
        _ => Some(character(pattern)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (pattern, name, matches) in [
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("a*b*c", "aXbXbc", true),
            ("a?c", "a中c", true),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[]a]", "]", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("*", "", true),
            ("[", "[", false),
        ] {
            assert_eq!(name_matches(pattern.as_bytes(), name.as_bytes()), matches, "{pattern} {name}");
        }
    }

    #[test]
    fn trees() {
        let root = tempfile::tempdir().unwrap();
        for path in ["a.log", "x/b.log", "x/y/c.log", "x/y/c.txt", "z/d.log"] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let find = |pattern: &str| {
            let glob = Glob::new(&format!("{}/{pattern}", root.path().display()), true);
            let mut found = Found::default();
            glob.find(&mut found);
            let mut names: Vec<_> = found
                .paths
                .iter()
                .map(|path| {
                    assert!(glob.matches(path));
                    path.strip_prefix(root.path()).unwrap().to_str().unwrap().to_owned()
                })
                .collect();
            names.sort();
            names
        };
        assert_eq!(find("*.log"), ["a.log"]);
        assert_eq!(find("**/*.log"), ["a.log", "x/b.log", "x/y/c.log", "z/d.log"]);
        assert_eq!(find("x/**"), ["x/b.log", "x/y", "x/y/c.log", "x/y/c.txt"]);
        assert_eq!(find("*/b.log"), ["x/b.log"]);
        assert_eq!(find("x/y/c.log"), ["x/y/c.log"]);
        assert_eq!(find("x/nothing.log"), Vec::<String>::new());
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(pattern in "[*?\\[\\]^a\\\\中-]{0,12}", name in "[a中*-]{0,8}") {
            name_matches(pattern.as_bytes(), name.as_bytes());
            proptest::prop_assert!(name_matches(&escaped(name.as_bytes()), name.as_bytes()));
        }
    }
}
