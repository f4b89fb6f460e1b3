//! What is answered.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;

use super::request::Request;
use super::status::Status;

/// What a browser may do with any answer. The page's own files and the server are all that it may
/// load. The one hash is that of the empty text: plotly.js makes style elements without text and
/// adds its rules to them, and saves a picture by way of `blob:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; \
     img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    status: Status,
    headers: Vec<(&'static str, Cow<'static, str>)>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Own(Vec<u8>),
    Shared(Arc<[u8]>),
}

impl Response {
    /// These bytes.
    pub(crate) fn bytes(kind: &'static str, body: Vec<u8>) -> Response {
        Response::of(Status::Ok, kind, Body::Own(body))
    }

    /// Bytes that are kept.
    pub(crate) fn shared(kind: &'static str, body: &Arc<[u8]>) -> Response {
        Response::of(Status::Ok, kind, Body::Shared(Arc::clone(body)))
    }

    /// A line of text.
    pub(crate) fn plain(status: Status, text: &str) -> Response {
        Response::of(status, "text/plain; charset=utf-8", Body::Own(format!("{text}\n").into()))
    }

    /// A document.
    pub(crate) fn json(status: Status, value: &impl Serialize) -> Response {
        match serde_json::to_vec(value) {
            Ok(body) => Response::of(status, "application/json", Body::Own(body)),
            Err(error) => Response::plain(Status::Failed, &error.to_string()),
        }
    }

    fn of(status: Status, kind: &'static str, body: Body) -> Response {
        Response { status, headers: vec![("Content-Type", kind.into())], body }
    }

    /// With one header more.
    pub(crate) fn with(
        mut self,
        name: &'static str,
        value: impl Into<Cow<'static, str>>,
    ) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// This answer with the hash of its body, or nothing but that it is what the client has.
    pub(crate) fn unless_known(self, request: &Request) -> Response {
        if self.status != Status::Ok {
            return self;
        }
        let tag = Tag::of(self.body());
        if tag.is_known(request) { tag.not_modified() } else { tag.on(self) }
    }

    pub(super) fn body(&self) -> &[u8] {
        match &self.body {
            Body::Own(bytes) => bytes,
            Body::Shared(bytes) => bytes,
        }
    }

    pub(super) fn head(&self) -> String {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status.code(), self.status.reason());
        let cached = self.headers.iter().any(|(name, _)| *name == "Cache-Control");
        let always = [
            ("Content-Security-Policy", POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Connection", "close"),
        ];
        let own = self.headers.iter().map(|(name, value)| (*name, value.as_ref()));
        let fresh = (!cached).then_some(("Cache-Control", "no-store"));
        // Writing to a text cannot fail.
        for (name, value) in own.chain(always).chain(fresh) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if self.status != Status::NotModified {
            let _ = write!(head, "Content-Length: {}\r\n", self.body().len());
        }
        head + "\r\n"
    }
}

/// What an answer is known by.
#[derive(Debug, Clone)]
pub(crate) struct Tag(String);

impl Tag {
    /// Of what decides the answer.
    pub(crate) fn of(bytes: &[u8]) -> Tag {
        Tag(format!("\"{}\"", &blake3::hash(bytes).to_hex()[..32]))
    }

    /// Whether the client has it.
    pub(crate) fn is_known(&self, request: &Request) -> bool {
        request.if_none_match.as_deref() == Some(&self.0)
    }

    /// That the client has it.
    pub(crate) fn not_modified(self) -> Response {
        self.on(Response {
            status: Status::NotModified,
            headers: Vec::new(),
            body: Body::Own(Vec::new()),
        })
    }

    /// On an answer.
    pub(crate) fn on(self, response: Response) -> Response {
        response.with("ETag", self.0)
    }
}
