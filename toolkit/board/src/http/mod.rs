//! As much of HTTP/1.1 as a page for one person needs: GET, one request a connection.
//!
//! `httparse` reads the request; the rest is the standard library's sockets and threads. A small
//! server crate would be shorter, but the known one sets no limit of time on a connection, so that
//! clients that send nothing hold its threads for ever. Here each connection has a thread and
//! these limits:
//!
//! | what | limit |
//! |---|---|
//! | connections at once | [`MOST_CONNECTIONS`], others are told to come back |
//! | the request with its headers | [`LARGEST_HEAD`], [`MOST_HEADERS`], [`TIME_TO_ASK`] |
//! | a body | none is read |
//! | the answer | [`TIME_TO_TAKE`] |

mod connection;
mod request;
mod response;
mod status;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

pub(crate) use request::{Method, Request};
pub(crate) use response::{Response, Tag};
pub(crate) use status::Status;

/// How many connections are served at once; a browser opens six.
pub(crate) const MOST_CONNECTIONS: usize = 64;

/// How large a request with its headers may be, in bytes.
pub(crate) const LARGEST_HEAD: usize = 32 << 10;

/// How many headers a request may have.
pub(crate) const MOST_HEADERS: usize = 64;

/// How long a client may take to send its request.
pub(crate) const TIME_TO_ASK: Duration = Duration::from_secs(10);

/// How long a client may take to fetch the answer.
pub(crate) const TIME_TO_TAKE: Duration = Duration::from_secs(120);

/// How long to wait when the system gives no connection, for example because too many files are
/// open.
const BREATH: Duration = Duration::from_millis(50);

/// Answers every connection for ever.
pub(crate) fn serve(
    listener: &TcpListener,
    answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
) -> ! {
    let (answer, open) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    loop {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(BREATH);
            continue;
        };
        let place = Place::take(&open);
        if open.load(Ordering::Acquire) > MOST_CONNECTIONS {
            connection::refuse(stream);
            continue;
        }
        let answer = Arc::clone(&answer);
        let spawned = thread::Builder::new().name("board".to_owned()).spawn(move || {
            let _place = place;
            connection::serve(stream, &*answer);
        });
        if spawned.is_err() {
            thread::sleep(BREATH);
        }
    }
}

/// One of the connections that are open, also if its thread panics.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Place {
        open.fetch_add(1, Ordering::AcqRel);
        Place(Arc::clone(open))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
