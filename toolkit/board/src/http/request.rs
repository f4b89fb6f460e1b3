//! What a client asks.

use percent_encoding::percent_decode_str;

use super::MOST_HEADERS;
use super::status::Status;

/// A request, without its body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// What stands between the slashes, decoded: `/api/run/x` is `api`, `run`, `x`, and `/` is one
    /// empty part.
    pub(crate) path: Vec<String>,
    /// Behind the question mark, decoded, in order.
    query: Vec<(String, String)>,
    pub(crate) host: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) if_none_match: Option<String>,
    cookies: Vec<String>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Other,
}

impl Request {
    /// The request at the start of these bytes; `None` if it is not whole yet.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Request>, Status> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(Status::HeadTooLarge),
            Err(_) => return Err(Status::BadRequest),
        }
        let target = parsed.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.strip_prefix('/').ok_or(Status::BadRequest)?;
        let mut request = Request {
            method: if parsed.method == Some("GET") { Method::Get } else { Method::Other },
            path: path.split('/').map(decoded).collect::<Option<_>>().ok_or(Status::BadRequest)?,
            query: pairs(query).ok_or(Status::BadRequest)?,
            host: None,
            authorization: None,
            if_none_match: None,
            cookies: Vec::new(),
        };
        for header in parsed.headers {
            let Ok(value) = std::str::from_utf8(header.value) else { continue };
            let place = match header.name.to_ascii_lowercase().as_str() {
                "host" => &mut request.host,
                "authorization" => &mut request.authorization,
                "if-none-match" => &mut request.if_none_match,
                "cookie" => {
                    request.cookies.extend(value.split(';').map(|part| part.trim().to_owned()));
                    continue;
                }
                _ => continue,
            };
            // Of two hosts it would be open which one was checked.
            if place.replace(value.trim().to_owned()).is_some() {
                return Err(Status::BadRequest);
            }
        }
        Ok(Some(request))
    }

    /// The first parameter of this name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Every parameter of this name.
    pub(crate) fn parameters<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The cookie of this name.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='))
    }
}

fn pairs(query: &str) -> Option<Vec<(String, String)>> {
    let form = |text: &str| decoded(&text.replace('+', " "));
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((form(name)?, form(value)?))
        })
        .collect()
}

/// `None` for what is no UTF-8.
fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Option<Request>, Status> {
        Request::parse(text.as_bytes())
    }

    #[test]
    fn the_parts_of_a_request_are_decoded() {
        let text = "GET /api/run/a%2Fb?query=lr+%3C+1&name=a&name=b%26 HTTP/1.1\r\nHost: localhost:1\r\n\
                    Cookie: x=1; board=t=1\r\nIF-NONE-MATCH: \"e\"\r\n\r\nrest";
        let request = parse(text).unwrap().unwrap();
        assert_eq!(request.path, ["api", "run", "a/b"]);
        assert_eq!(request.parameter("query"), Some("lr < 1"));
        assert_eq!(request.parameters("name").collect::<Vec<_>>(), ["a", "b&"]);
        assert_eq!(request.cookie("board"), Some("t=1"));
        assert_eq!(request.cookie("boar"), None);
        assert_eq!(request.if_none_match.as_deref(), Some("\"e\""));
        assert_eq!(request.host.as_deref(), Some("localhost:1"));
        assert_eq!(parse(&text[..text.len() - 6]), Ok(None));
    }

    #[test]
    fn what_is_doubtful_is_refused() {
        for (text, status) in [
            ("GET http://evil.example/ HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET /%ff HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Status::BadRequest),
            ("\u{16}\u{3}\u{1} TLS \r\n\r\n", Status::BadRequest),
        ] {
            assert_eq!(parse(text), Err(status), "{text}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(MOST_HEADERS + 1));
        assert_eq!(parse(&many), Err(Status::HeadTooLarge));
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Request::parse(&bytes);
        }

        #[test]
        fn a_start_is_never_an_error(cut in 0..60_usize) {
            let text = "GET /api/runs?query=x HTTP/1.1\r\nHost: localhost\r\nA: b\r\n\r\n";
            let cut = cut.min(text.len() - 1);
            prop_assert_eq!(parse(&text[..cut]), Ok(None));
        }
    }
}
