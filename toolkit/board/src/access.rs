//! Who may read.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use crate::error::BoardError;
use crate::http::{Request, Response, Status};

/// How many random bytes a token is made of.
const TOKEN_BYTES: usize = 24;

/// Which requests are answered: those that name this machine and carry the token.
#[derive(Debug)]
pub(crate) struct Access {
    token: Option<String>,
    /// Cookies are shared by all ports of a machine, so each board has a name of its own.
    cookie: String,
    /// The host as it was asked for, in lower case.
    host: String,
    /// Whether only this machine can reach the address.
    loopback: bool,
}

impl Access {
    /// For a board that was asked to listen on `host` and listens on `address`.
    pub(crate) fn new(host: &str, address: SocketAddr, token: bool) -> Result<Access, BoardError> {
        let loopback = address.ip().is_loopback();
        if !token && !loopback {
            return Err(BoardError::NeedsToken { host: host.to_owned() });
        }
        Ok(Access {
            token: token.then(draw).transpose()?,
            cookie: format!("trainbook-board-{}", address.port()),
            host: host.trim_matches(['[', ']']).to_ascii_lowercase(),
            loopback,
        })
    }

    /// The token that a request must carry; `None` if it need not.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Why the request is refused, if it is.
    pub(crate) fn refusal(&self, request: &Request) -> Option<Response> {
        if !request.host.as_deref().is_some_and(|host| self.names_this_machine(host)) {
            let why = "this address is not one of trainbook board; open the one that it printed, or name this one by --host";
            return Some(Response::plain(Status::MisdirectedRequest, why));
        }
        if !self.has_token(request) {
            let why = "the token is missing or wrong; open the whole address that trainbook board printed";
            return Some(Response::plain(Status::Unauthorized, why));
        }
        None
    }

    /// The cookie that carries the token from the first request to the following ones, if this one
    /// came with the token in its address.
    pub(crate) fn cookie_for(&self, request: &Request) -> Option<String> {
        let token = self.token()?;
        request
            .parameter("token")
            .map(|_| format!("{}={token}; Path=/; HttpOnly; SameSite=Strict", self.cookie))
    }

    /// Whether `host` (with or without a port) is a name under which only this machine is meant. The
    /// port may be that of a tunnel.
    fn names_this_machine(&self, host: &str) -> bool {
        let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
        if name == "localhost" || name == self.host {
            return true;
        }
        // Nobody can make an address point elsewhere, as a name can be.
        name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || !self.loopback)
    }

    fn has_token(&self, request: &Request) -> bool {
        let Some(token) = self.token() else { return true };
        let given = request
            .parameter("token")
            .or_else(|| request.authorization.as_deref()?.strip_prefix("Bearer "))
            .or_else(|| request.cookie(&self.cookie));
        // blake3 compares hashes in constant time.
        given.is_some_and(|given| blake3::hash(given.as_bytes()) == blake3::hash(token.as_bytes()))
    }
}

fn draw() -> Result<String, BoardError> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|source| BoardError::Random { source })?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match host.rsplit_once(':') {
        Some((name, _)) if !name.contains(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(host: &str, address: &str) -> Access {
        Access::new(host, address.parse().unwrap(), true).unwrap()
    }

    #[test]
    fn only_names_of_this_machine_pass() {
        let local = access("127.0.0.1", "127.0.0.1:80");
        for host in ["127.0.0.1:80", "localhost", "LOCALHOST:9", "[::1]:80", "localhost.:1", "::1"]
        {
            assert!(local.names_this_machine(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:80",
            "127.0.0.1.evil.example",
            "",
            "192.0.2.1",
            "[::1",
        ] {
            assert_eq!(local.names_this_machine(host), host == "[::1", "{host}");
        }
        let open = access("Box.lan", "192.0.2.1:80");
        for (host, passes) in [
            ("box.lan:80", true),
            ("192.0.2.1:80", true),
            ("[2001:db8::1]:80", true),
            ("evil.example", false),
        ] {
            assert_eq!(open.names_this_machine(host), passes, "{host}");
        }
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let [a, b] = [(); 2].map(|()| draw().unwrap());
        assert_eq!((a.len(), b.len()), (2 * TOKEN_BYTES, 2 * TOKEN_BYTES));
        assert_ne!(a, b);
    }

    #[test]
    fn without_a_token_only_this_machine_is_served() {
        let far = Access::new("192.0.2.1", "192.0.2.1:80".parse().unwrap(), false).unwrap_err();
        assert!(far.to_string().starts_with("serve 192.0.2.1 without a token"), "{far}");
        assert!(Access::new("::", "[::]:80".parse().unwrap(), false).is_err());
        assert!(Access::new("::1", "[::1]:80".parse().unwrap(), false).is_ok());
    }
}
