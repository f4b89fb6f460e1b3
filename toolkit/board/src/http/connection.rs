//! One connection: a request, an answer, the end.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::request::{Method, Request};
use super::response::Response;
use super::status::Status;
use super::{LARGEST_HEAD, TIME_TO_ASK, TIME_TO_TAKE};

/// How much is written at once, between looks at the clock.
const PIECE: usize = 64 << 10;

/// How long, and how much, is read of what a client sends after its request, so that it gets the
/// answer and not a broken connection.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 256 << 10;

/// Reads a request, answers it and closes the connection. A client that breaks off is nobody's
/// error.
pub(super) fn serve(mut stream: TcpStream, answer: &dyn Fn(&Request) -> Response) {
    let _ = stream.set_nodelay(true);
    let (response, whole) = match read(&mut stream) {
        Ok(request) => {
            // A body follows at most a method that is refused.
            let whole = request.method == Method::Get;
            (answer(&request), whole)
        }
        Err(Some(status)) => (Response::plain(status, status.reason()), false),
        Err(None) => return,
    };
    if write(&mut stream, &response, TIME_TO_TAKE).is_ok()
        && stream.shutdown(Shutdown::Write).is_ok()
        && !whole
    {
        drain(&mut stream);
    }
}

/// Tells a client that there are too many.
pub(super) fn refuse(mut stream: TcpStream) {
    let busy = Response::plain(Status::Busy, "too many connections are open; try again");
    // So little fits into the socket's buffer at once.
    if write(&mut stream, &busy, LINGER).is_ok() {
        let _ = stream.shutdown(Shutdown::Write);
    }
}

/// The request, or what to answer instead; nothing to a client that is gone or said nothing.
fn read(stream: &mut TcpStream) -> Result<Request, Option<Status>> {
    let deadline = Instant::now() + TIME_TO_ASK;
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(if head.is_empty() { None } else { Some(Status::Timeout) });
        }
        stream.set_read_timeout(Some(left)).map_err(|_| None)?;
        match stream.read(&mut piece) {
            Ok(0) => return Err(None),
            Ok(count) => head.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // The time is up, which the next round answers.
            Err(error) if is_timeout(&error) => continue,
            Err(_) => return Err(None),
        }
        if let Some(request) = Request::parse(&head)? {
            return Ok(request);
        }
        if head.len() > LARGEST_HEAD {
            return Err(Some(Status::HeadTooLarge));
        }
    }
}

fn write(stream: &mut TcpStream, response: &Response, time: Duration) -> io::Result<()> {
    let deadline = Instant::now() + time;
    let head = response.head();
    for piece in [head.as_bytes()].into_iter().chain(response.body().chunks(PIECE)) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        stream.write_all(piece)?;
    }
    Ok(())
}

fn drain(stream: &mut TcpStream) {
    let (deadline, mut rest) = (Instant::now() + LINGER, LINGER_BYTES);
    let mut piece = [0; 4096];
    while rest > 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(count) => rest = rest.saturating_sub(count),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
