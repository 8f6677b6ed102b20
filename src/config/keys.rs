//! Turns the flags in an error into keys, for an error that is about a value in the file.

/// Rewrites an error or a hint: `--slow` becomes the key `slow`, `--slow=wait` becomes `slow = "wait"`, and COMMAND becomes
/// `command`. `add --shared` becomes `add shared = true`. Leaves text in backquotes alone, which is the user's, and the flags
/// for which `is_key` is false.
pub(super) fn in_keys(text: &str, is_key: impl Fn(&str) -> bool) -> String {
    let parts = text.split('`').enumerate().map(|(index, part)| match index % 2 {
        0 => rewrite(part, &is_key),
        _ => format!("`{part}`"),
    });
    parts.collect()
}

fn rewrite(text: &str, is_key: impl Fn(&str) -> bool) -> String {
    let mut before = "";
    let words = text.split(' ').map(|word| {
        // A value may end with a colon: `--address=::`.
        let bare = word.trim_end_matches(|end| matches!(end, ',' | ';') || end == ':' && !word.contains('='));
        let tail = &word[bare.len()..];
        let is_added = matches!(before, "add" | "or");
        before = bare;
        let Some(flag) = bare.strip_prefix("--") else {
            return if bare == "COMMAND" { format!("command{tail}") } else { word.to_owned() };
        };
        let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        match value {
            _ if !is_key(name) => word.to_owned(),
            Some("") => format!("`{name}`{tail}"),
            Some(value) if is_number(value) => format!("`{name} = {value}`{tail}"),
            Some(value) => format!("`{name} = \"{value}\"`{tail}"),
            None if is_added => format!("`{name} = true`{tail}"),
            None => format!("`{name}`{tail}"),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn is_number(value: &str) -> bool {
    value.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_keys_outside_of_the_words_of_the_user() {
        let table = [
            ("cannot use --slow without --shared: it", "cannot use `slow` without `shared`: it"),
            ("add --shared or --shared=path", "add `shared = true` or `shared = \"path\"`"),
            ("add --slow=wait, or remove --slow-wait", "add `slow = \"wait\"`, or remove `slow-wait`"),
            ("invalid header `--slow` in --header: why", "invalid header `--slow` in `header`: why"),
            ("or --address=:: for all", "or `address = \"::\"` for all"),
            ("such as --port=8080", "such as `port = 8080`"),
            ("cannot combine --binary and --dir", "cannot combine --binary and `dir`"),
            ("cannot find COMMAND `COMMAND x`", "cannot find command `COMMAND x`"),
            ("write flags, without --dir=", "write flags, without `dir`"),
            ("a -- b", "a -- b"),
        ];
        for (text, want) in table {
            assert_eq!(in_keys(text, |name| !["", "binary"].contains(&name)), want);
        }
    }
}
