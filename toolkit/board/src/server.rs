//! The board: an address, and what answers there.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use trainbook_store::Store;

use crate::access::Access;
use crate::api::Api;
use crate::error::BoardError;
use crate::http::{self, Method, Request, Response, Status};
use crate::page::Page;

/// Where a board listens, and for whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// A name or address of this machine. Default: `127.0.0.1`, which no other machine reaches.
    pub host: String,
    /// The port. Default: 0, any that is free.
    pub port: u16,
    /// Whether requests must carry the token of [`Board::url`]. Default: true. It can be left out
    /// only where no other machine reaches the board.
    pub token: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { host: "127.0.0.1".to_owned(), port: 0, token: true }
    }
}

/// A web page over a store, which listens and does not answer yet.
#[derive(Debug)]
pub struct Board {
    listener: TcpListener,
    address: SocketAddr,
    service: Arc<Service>,
}

#[derive(Debug)]
struct Service {
    access: Access,
    api: Api,
    page: Page,
}

impl Board {
    /// Takes an address, so that [`url`](Board::url) is known.
    ///
    /// # Errors
    /// [`BoardError::Listen`] for a port that is taken or a host that is not this machine, and
    /// [`BoardError::NeedsToken`].
    pub fn bind(store: Store, options: &Options) -> Result<Board, BoardError> {
        let Options { host, port, token } = options;
        let refused = |source| BoardError::Listen { host: host.clone(), port: *port, source };
        let listener =
            TcpListener::bind((host.trim_matches(['[', ']']), *port)).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let access = Access::new(host, address, *token)?;
        let service = Service { access, api: Api::new(store), page: Page::new()? };
        Ok(Board { listener, address, service: Arc::new(service) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to open in a browser, with the token. Of a board that listens on every address, the one
    /// for this machine.
    pub fn url(&self) -> String {
        let mut shown = self.address;
        if shown.ip().is_unspecified() {
            shown.set_ip(match shown {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        match self.service.access.token() {
            Some(token) => format!("http://{shown}/?token={token}"),
            None => format!("http://{shown}/"),
        }
    }

    /// Answers requests for as long as the process runs.
    pub fn serve(self) -> ! {
        let service = self.service;
        http::serve(&self.listener, move |request| service.answer(request))
    }
}

impl Service {
    fn answer(&self, request: &Request) -> Response {
        if request.method != Method::Get {
            return Response::plain(Status::MethodNotAllowed, "a board is only read: use GET")
                .with("Allow", "GET");
        }
        if let Some(refusal) = self.access.refusal(request) {
            return refusal;
        }
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let response = match path.as_slice() {
            ["api", path @ ..] => self.api.answer(path, request),
            [file] => self.page.file(file, request),
            _ => None,
        };
        let response = response.unwrap_or_else(|| {
            Response::plain(Status::NotFound, "there is nothing at this address")
        });
        match self.access.cookie_for(request) {
            Some(cookie) => response.with("Set-Cookie", cookie),
            None => response,
        }
    }
}
