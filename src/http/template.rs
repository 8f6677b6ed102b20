//! The value of a header with CGI variables: `${UNIQUE_ID}`. `$${` is a literal `${`.

use std::os::unix::ffi::OsStrExt;

use hyper::header::HeaderValue;

use crate::worker::{names::is_cgi_name, variable::Variable};

/// A value that is complete once the variables of a session are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<TemplatePart>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Variable(String),
}

/// The reason for which a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TemplateFault {
    /// A `${` has no `}`.
    Open,
    /// There is no CGI variable of this name.
    Unknown(String),
}

impl Template {
    /// Reads a value.
    pub(super) fn parse(text: &str) -> Result<Self, TemplateFault> {
        let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
        while let Some((before, after)) = rest.split_once("${") {
            literal += before;
            if literal.ends_with('$') {
                literal.push('{');
                rest = after;
                continue;
            }
            let (name, after) = after.split_once('}').ok_or(TemplateFault::Open)?;
            if !is_cgi_name(name) {
                return Err(TemplateFault::Unknown(name.to_owned()));
            }
            parts.push(TemplatePart::Text(std::mem::take(&mut literal)));
            parts.push(TemplatePart::Variable(name.to_owned()));
            rest = after;
        }
        parts.push(TemplatePart::Text(literal + rest));
        Ok(Self(parts))
    }

    /// Returns the name of the first variable; `None` if the value is always the same.
    pub(super) fn variable(&self) -> Option<&str> {
        self.0.iter().find_map(|part| match part {
            TemplatePart::Variable(name) => Some(&**name),
            TemplatePart::Text(_) => None,
        })
    }

    /// Returns the value with these variables; one that is not set is empty. `None` if the value has a control character, and
    /// would break the header.
    pub(super) fn fill(&self, variables: &[Variable]) -> Option<HeaderValue> {
        let mut value = Vec::new();
        for part in &self.0 {
            value.extend_from_slice(match part {
                TemplatePart::Text(text) => text.as_bytes(),
                TemplatePart::Variable(name) => variables
                    .iter()
                    .find(|variable| variable.name() == &**name)
                    .map_or(&[], |variable| variable.value().as_bytes()),
            });
        }
        HeaderValue::from_bytes(&value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_expand_in_values() {
        let variables = [("UNIQUE_ID", "abc"), ("PATH_INFO", "/a\r\nX: y"), ("QUERY_STRING", "é\t")];
        let variables = variables.map(|(name, value)| Variable::new(name, value));
        let table = [
            ("", Some("")),
            ("plain $ $$ {} $x $", Some("plain $ $$ {} $x $")),
            ("${UNIQUE_ID}", Some("abc")),
            ("id=${UNIQUE_ID}; q=${QUERY_STRING};", Some("id=abc; q=é\t;")),
            ("${UNIQUE_ID}${UNIQUE_ID}", Some("abcabc")),
            ("$${UNIQUE_ID}", Some("${UNIQUE_ID}")),
            ("a$${b$${c}${UNIQUE_ID}$", Some("a${b${c}abc$")),
            ("[${REMOTE_USER}${HTTP_X_NONE}]", Some("[]")),
            ("${PATH_INFO}", None),
        ];
        for (text, want) in table {
            let value = Template::parse(text).expect("a template").fill(&variables);
            assert_eq!(value.as_ref().map(HeaderValue::as_bytes), want.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        for name in ["", "NAME", "unique_id", "UNIQUE_ID ", "HTTP_", "HTTP_x", "PATH", "$UNIQUE_ID"] {
            let fault = TemplateFault::Unknown(name.to_owned());
            assert_eq!(Template::parse(&format!("a ${{{name}}}")), Err(fault));
        }
        for open in ["${", "${UNIQUE_ID", "${UNIQUE_ID} ${"] {
            assert_eq!(Template::parse(open), Err(TemplateFault::Open), "{open}");
        }
    }
}
