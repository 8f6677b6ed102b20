//! Renders the subject of a client's certificate as text, whatever its string type. Pure.

use x509_parser::{
    asn1_rs::{Any, Tag, ToDer},
    certificate::X509Certificate,
    extensions::GeneralName,
    objects::{oid_registry, oid2abbrev},
    x509::{AttributeTypeAndValue, X509Name},
};

/// Renders a name like `mod_ssl`: `C=FR, CN=Ada`. Escapes what would forge another part (RFC 4514, section 2.4).
pub(super) fn distinguished_name(name: &X509Name<'_>) -> String {
    name.iter_attributes().map(part).collect::<Vec<_>>().join(", ")
}

/// Returns the name of a client: the first e-mail address or name of the DNS in its certificate, or else its common name.
pub(super) fn client_name(cert: &X509Certificate<'_>) -> Option<String> {
    let alternative = cert.subject_alternative_name().ok().flatten();
    let of_san = alternative.iter().flat_map(|names| &names.value.general_names).find_map(|name| match name {
        GeneralName::RFC822Name(name) | GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    let common = || cert.subject().iter_common_name().find_map(|name| text(name.attr_value()));
    // A control character would pose as something else in a log or a file.
    of_san.or_else(common).filter(|name| !name.is_empty() && !name.chars().any(char::is_control))
}

fn part(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = oid2abbrev(attribute.attr_type(), oid_registry())
        .map_or_else(|_| attribute.attr_type().to_string(), ToOwned::to_owned);
    let value = attribute.attr_value();
    format!("{kind}={}", text(value).map_or_else(|| hexadecimal(value), |text| escape(&text)))
}

/// Decodes a string of any type (RFC 5280, section 4.1.2.4, and X.680, section 41); `None` if it is no valid string.
fn text(value: &Any<'_>) -> Option<String> {
    let bytes = value.as_bytes();
    match value.tag() {
        Tag::Utf8String
        | Tag::PrintableString
        | Tag::NumericString
        | Tag::Ia5String
        | Tag::VisibleString
        | Tag::GeneralString
        | Tag::GraphicString => String::from_utf8(bytes.to_vec()).ok(),
        // In practice this type holds Latin-1 and not T.61; OpenSSL reads it so, too.
        Tag::TeletexString => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString => {
            let (units, rest) = bytes.as_chunks::<2>();
            let units = units.iter().copied().map(u16::from_be_bytes);
            char::decode_utf16(units).collect::<Result<_, _>>().ok().filter(|_| rest.is_empty())
        }
        Tag::UniversalString => {
            let (points, rest) = bytes.as_chunks::<4>();
            let points = points.iter().copied().map(u32::from_be_bytes);
            points.map(char::from_u32).collect::<Option<_>>().filter(|_| rest.is_empty())
        }
        _ => None,
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => escaped.extend(['\\', c]),
            // A leading `#` marks a value in hexadecimal.
            '#' if at == 0 => escaped.push_str("\\#"),
            c if c.is_control() => escaped.extend(c.escape_default()),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Renders a value that is no text: `#` and its encoding in hexadecimal (RFC 4514, section 2.4).
fn hexadecimal(value: &Any<'_>) -> String {
    let encoded = value.to_der_vec_raw().unwrap_or_default();
    format!("#{}", data_encoding::HEXLOWER.encode(&encoded))
}

#[cfg(test)]
mod tests {
    use x509_parser::asn1_rs::FromDer;

    use super::*;

    /// Renders a `CN` whose value has this tag.
    fn shown(tag: u8, value: &[u8]) -> String {
        let der =
            |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).expect("a short one")], content].concat();
        let attribute = der(0x30, &[&[6, 3, 0x55, 4, 3][..], &der(tag, value)].concat());
        let name = der(0x30, &der(0x31, &attribute));
        distinguished_name(&X509Name::from_der(&name).expect("a name").1)
    }

    #[test]
    fn every_type_of_string_is_shown() {
        let table: [(u8, &[u8], &str); 16] = [
            (0x0C, "Zoë €".as_bytes(), "CN=Zoë €"),
            (0x12, b"0123", "CN=0123"),
            (0x13, b"Ada L.", "CN=Ada L."),
            (0x14, b"Zo\xEB", "CN=Zoë"),
            (0x16, b"ada@example.com", "CN=ada@example.com"),
            (0x1A, b"Ada", "CN=Ada"),
            (0x1B, b"Ada", "CN=Ada"),
            (0x1C, b"\0\0\0Z\0\x01\xF6\0", "CN=Z😀"),
            (0x1E, b"\0Z\0\xEB\xD8\x3D\xDE\0", "CN=Zë😀"),
            // Special characters are escaped; invalid strings are shown in hexadecimal.
            (0x1E, b"\0E\0,\0 \0C\0N\0=\0A", "CN=E\\, CN=A"),
            (0x0C, b"#0c01", "CN=\\#0c01"),
            (0x0C, b"a\n\0b", "CN=a\\n\\u{0}b"),
            (0x1E, b"\xD8\x3D", "CN=#1e02d83d"),
            (0x1C, b"\0\0\0", "CN=#1c03000000"),
            (0x04, b"\x01\x02", "CN=#04020102"),
            (0x03, b"\0\xFF", "CN=#030200ff"),
        ];
        for (tag, value, want) in table {
            assert_eq!(shown(tag, value), want, "{tag:#x} {value:?}");
        }
    }
}
