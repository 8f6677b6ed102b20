//! Answers a POST to the gateway: a message of a client. The order of the checks is that of the specification.

use std::sync::Arc;

use hyper::{Response, body::Body as _, header::HeaderValue};

use super::{
    super::ask::Ask,
    launch::{ProgramSharing, launching, program, shared_environment},
    reply::{McpReply, failed, first, json, refused, streaming, taken},
    requests::{SESSION, check_version, is_json, is_modern, session_id, takes_both, version},
};
use crate::{
    budget::{Owner, Share},
    http::{
        gate::Visitor,
        page::Body,
        refusal::Refusal,
        upload::{Upload, UploadFault},
    },
    limits::mcp::MCP_ID_BYTES_MAX,
    mcp::{
        fault::{McpFault, code},
        gateway::Gateway,
        headers,
        load::LoadSlot,
        message::{Form, MessageParts, NoMessage},
        meter::LISTEN,
        session::{self, McpSession, OpenStream, Posted},
        stream::McpAnswerKind,
        terms::{Launching, McpEras, Trouble},
    },
    worker::environ::{CgiFacts, unique_id},
};

/// An answer that is not one, and the text of the id of its request.
type Failed = (Trouble<Refusal>, Option<Vec<u8>>);

/// Answers a message.
pub(super) async fn answer(ask: &mut Ask, visitor: &Visitor, gateway: &Gateway) -> Result<Response<Body>, Refusal> {
    Ok(match try_answer(ask, visitor, gateway).await {
        Ok(response) => response,
        Err((Trouble::Fault(fault), id)) => failed(&fault, id.as_deref()),
        Err((Trouble::Refused(refusal), id)) => refused(ask, visitor, refusal, id.as_deref()),
    })
}

async fn try_answer(ask: &mut Ask, visitor: &Visitor, gateway: &Gateway) -> Result<Response<Body>, Failed> {
    let nameless = |fault: McpFault| (Trouble::Fault(fault), None);
    if !is_json(&ask.request.headers) {
        return Err(nameless(McpFault::new(415, code::REFUSED, "the body must be application/json")));
    }
    if !takes_both(&ask.request.headers) {
        let text = "the client must accept application/json and text/event-stream";
        return Err(nameless(McpFault::new(406, code::REFUSED, text)));
    }
    ask.site.launcher.check_budget().map_err(|refusal| (Trouble::Refused(refusal), None))?;
    if gateway.options.process.budget.is_full() {
        gateway.sessions.relieve();
    }
    // The share counts the body while the program starts.
    let (text, _share) = read(ask, gateway.options.body_bytes_max).await.map_err(nameless)?;
    let parts = MessageParts::of(&text).map_err(|why| {
        nameless(match why {
            NoMessage::NotJson => McpFault::new(400, code::PARSE, "the body is not JSON"),
            NoMessage::NotOne(why) => McpFault::new(400, code::INVALID_REQUEST, why),
        })
    })?;
    let is_long = [&parts.id, &parts.asked_progress].into_iter().flatten().any(|place| place.len() > MCP_ID_BYTES_MAX);
    if is_long && parts.form == Form::Request {
        let text = "`id` and `progressToken` must have up to 1 KiB";
        return Err(nameless(McpFault::new(400, code::INVALID_REQUEST, text)));
    }
    // The id of a response is the server's.
    let id = parts.id_text(&text).filter(|_| parts.form == Form::Request).map(<[u8]>::to_vec);
    let post = McpPost { ask, visitor, gateway, text: &text, parts: &parts };
    let answered = match post.claims_modern() {
        Ok(true) => post.modern().await,
        Ok(false) => post.legacy().await,
        Err(fault) => Err(fault.into()),
    };
    answered.map_err(|trouble| (trouble, id))
}

/// A message of a client, and where it came from.
struct McpPost<'a> {
    ask: &'a Ask,
    visitor: &'a Visitor,
    gateway: &'a Gateway,
    text: &'a [u8],
    parts: &'a MessageParts,
}

impl McpPost<'_> {
    /// Whether the message is a modern one: its body or its header tells its version as such messages do.
    fn claims_modern(&self) -> Result<bool, McpFault> {
        let parts = self.parts;
        if parts.claim.is_some() {
            return Ok(true);
        }
        if parts.method == "initialize" || !is_modern(&self.ask.request.headers) {
            return Ok(false);
        }
        match parts.form {
            Form::Notification => Ok(true),
            Form::Request => {
                let text = "`_meta` must have `io.modelcontextprotocol/protocolVersion`";
                Err(McpFault::new(400, code::INVALID_PARAMS, text))
            }
            Form::Response => {
                Err(McpFault::new(400, code::INVALID_REQUEST, "a client of this version sends no responses"))
            }
        }
    }

    async fn modern(&self) -> Result<Response<Body>, Trouble<Refusal>> {
        let &Self { ask, visitor, gateway, text, parts } = self;
        let headers = &ask.request.headers;
        let get = |name: &str| headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        gateway.shared.check(text, parts, &get)?;
        let script = program(ask).map_err(Trouble::Refused)?;
        let environment = shared_environment(ask, &script);
        let launching = launching(ask, visitor, script, environment, ProgramSharing::All);
        if parts.form != Form::Request {
            gateway.shared.tell((text, parts), launching).await?;
            return Ok(taken());
        }
        let slot = gateway.load.enter(visitor.connection.peer, parts.method == LISTEN)?;
        let reader = gateway.shared.ask((text, parts), slot, launching).await?;
        Ok(match first(reader).await {
            McpReply::Json(message, kind) => json(message, kind, true),
            McpReply::Events(reader, message) => streaming(reader, None, message),
            McpReply::Ended(_) => {
                failed(&McpFault::new(503, code::INTERNAL, "the client read too slowly"), parts.id_text(text))
            }
        })
    }

    async fn legacy(&self) -> Result<Response<Body>, Trouble<Refusal>> {
        let &Self { ask, visitor, gateway, text, parts } = self;
        let headers = &ask.request.headers;
        if gateway.options.eras == McpEras::Shared {
            let requested = parts.version.clone().or_else(|| version(headers)).unwrap_or_default();
            return Err(headers::unsupported(&requested).into());
        }
        let is_first = parts.form == Form::Request && parts.method == "initialize";
        if !is_first {
            check_version(headers)?;
        }
        // A client with all its requests in flight can still cancel one, and answer the server's own: nothing else ends them.
        let slot = || gateway.load.enter(visitor.connection.peer, false);
        let Some(id) = session_id(headers) else {
            if !is_first {
                let text = "Mcp-Session-Id is missing: send initialize first";
                return Err(McpFault::new(400, code::REFUSED, text).into());
            }
            let (session, open) = self.begin(slot()?).await?;
            return Ok(reply(&session, open, true).await);
        };
        let session = gateway.sessions.find(&id, &visitor.user).ok_or_else(session::unknown)?;
        let slot = (parts.form == Form::Request).then(slot).transpose()?;
        let script = program(ask).map_err(Trouble::Refused)?;
        let launching = launching(ask, visitor, script, session.environment.clone(), ProgramSharing::Alone);
        match session.post((text, parts), slot, launching).await? {
            Posted::Taken => Ok(taken()),
            Posted::Stream(open) => Ok(reply(&session, open, false).await),
        }
    }

    /// Starts a program for a new session.
    async fn begin(&self, slot: LoadSlot) -> Result<(Arc<McpSession>, OpenStream), Trouble<Refusal>> {
        let &Self { ask, visitor, gateway, text, parts } = self;
        let script = program(ask).map_err(Trouble::Refused)?;
        let environment = if gateway.options.has_spare {
            shared_environment(ask, &script)
        } else {
            ask.environment(visitor, &script, &unique_id(), CgiFacts::default(), None).await
        };
        let Launching { start, connection, path, shutdown } =
            launching(ask, visitor, script, environment.clone(), ProgramSharing::Alone);
        let started = start.await.map_err(Trouble::Refused)?;
        let launched = Launching { start: (), connection, path, shutdown };
        Ok(gateway.open((visitor.user.clone(), environment), (text, parts), slot, started, launched))
    }
}

/// Answers with the messages of a session's stream. The first answer names the session.
async fn reply(session: &McpSession, open: OpenStream, is_first: bool) -> Response<Body> {
    let OpenStream { reader, stream, is_primed } = open;
    let mut has_begun = is_first;
    let mut response = match first(reader).await {
        McpReply::Json(message, kind) => {
            has_begun &= kind == McpAnswerKind::Result;
            json(message, kind, false)
        }
        McpReply::Events(reader, message) => {
            if is_primed {
                session.set_known(stream);
            }
            streaming(reader, is_primed.then_some(stream), message)
        }
        McpReply::Ended(reader) => streaming(reader, None, None),
    };
    if has_begun && let Ok(name) = HeaderValue::try_from(&*session.id) {
        response.headers_mut().insert(SESSION, name);
    }
    response
}

/// Reads the whole body, and counts it.
async fn read(ask: &mut Ask, bytes_max: usize) -> Result<(Vec<u8>, Option<Share>), McpFault> {
    let too_long =
        || McpFault::new(413, code::REFUSED, "the body is too long: the server's --maxbody tells how long it may be");
    let mut share = ask.request.extensions.get::<Owner>().map(Owner::share);
    let Some(body) = ask.body.take() else { return Ok((Vec::new(), share)) };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    let mut upload = Upload::new(body);
    let fault = |fault| match fault {
        UploadFault::Late => McpFault::new(408, code::REFUSED, "the body did not come in time"),
        UploadFault::Broken => McpFault::new(400, code::REFUSED, "the body is broken"),
    };
    while let Some(data) = upload.next().await.map_err(fault)? {
        if bytes.len() + data.len() > bytes_max {
            return Err(too_long());
        }
        bytes.extend_from_slice(&data);
        if let Some(share) = &mut share {
            share.set(bytes.capacity(), 0);
        }
    }
    Ok((bytes, share))
}
