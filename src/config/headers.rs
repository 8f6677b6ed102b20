//! Checks the headers that the user adds to answers: `--header`, `--header-ws`, `--header-http`.

use super::error::Error;
use crate::{
    cli::{
        site::SiteFlags,
        value::{Flag, is_on},
    },
    http::{
        headers::{HeaderFault, Headers, OwnHeader},
        template::TemplateFault,
    },
    limits::OWN_HEADERS_MAX,
    worker::names::CGI_NAMES,
};

/// Returns the headers of a site.
pub(super) fn headers(flags: &SiteFlags) -> Result<Headers, Error> {
    let is_acp = is_on(&flags.programs.acp);
    let flags = &flags.answers;
    let both = read(Vec::new(), "--header", flags.header.as_ref())?;
    let mut websocket = read(both.clone(), "--header-ws", flags.header_ws.as_ref())?;
    let of_acp = OwnHeader::parse("Acp-Connection-Id: ${UNIQUE_ID}").ok();
    if let Some(header) = of_acp.filter(|header| is_acp && !websocket.iter().any(|own| own.is_namesake(header))) {
        websocket.push(header);
    }
    let http = read(both, "--header-http", flags.header_http.as_ref())?;
    // Without variables, since `read` refuses them there.
    Ok(Headers { websocket, http: http.iter().filter_map(|header| header.fill(&[])).collect() })
}

/// Adds the headers of one flag to `headers`. Only a 101 may have variables: wsd knows them when it starts a program.
fn read(mut headers: Vec<OwnHeader>, flag: &str, texts: Option<&Vec<Flag<String>>>) -> Result<Vec<OwnHeader>, Error> {
    for text in texts.into_iter().flatten() {
        let header = OwnHeader::parse(text).map_err(|fault| refused(text, flag, fault).about(text))?;
        if let Some(name) = header.variable().filter(|_| flag != "--header-ws") {
            let why = "only a response that opens a WebSocket has the variables of a program";
            let message = format!("cannot use `${{{name}}}` in {flag}: {why}");
            return Err(Error::new(message, "use --header-ws; write $${ for a literal ${").about(text));
        }
        headers.push(header);
        if headers.len() > OWN_HEADERS_MAX {
            let message = format!("cannot add more than {OWN_HEADERS_MAX} headers to a response with {flag}");
            return Err(Error::new(message, "remove headers that no client reads").about(text));
        }
    }
    Ok(headers)
}

fn refused(text: &str, flag: &str, fault: HeaderFault) -> Error {
    let (why, hint) = match fault {
        HeaderFault::Rule(why) => (why.to_owned(), "write `Name: value`".to_owned()),
        HeaderFault::Template(TemplateFault::Open) => {
            ("a `${` has no `}`".to_owned(), "write ${NAME}; write $${ for a literal ${".to_owned())
        }
        HeaderFault::Template(TemplateFault::Unknown(name)) => (format!("unknown variable `{name}`"), near(&name)),
    };
    Error::new(format!("invalid header `{}` in {flag}: {why}", text.escape_debug()), hint)
}

/// Returns the hint for an unknown name of a variable.
fn near(name: &str) -> String {
    let upper = name.trim().to_ascii_uppercase();
    let scored = CGI_NAMES.iter().map(|known| (strsim::jaro_winkler(&upper, known), known));
    match scored.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
        // With a lower score it is probably another word: `NAME` and `SERVER_NAME` have 0.
        Some((score, known)) if score > 0.85 => format!("did you mean ${{{known}}}?"),
        _ => "use a CGI variable, such as ${UNIQUE_ID}, ${REMOTE_ADDR} or ${HTTP_HOST}; write $${ for a literal ${"
            .to_owned(),
    }
}
