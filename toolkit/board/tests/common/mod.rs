//! A board in this process, and a client that says exactly what a test wants said.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should say where")]
#![allow(dead_code, reason = "every test file uses another part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use trainbook_board::{Board, Options};
use trainbook_store::{EndState, Metric, RunEnd, RunStart, RunWriter, Store};

/// A board over a new store, which goes away with it.
pub struct Served {
    pub folder: TempDir,
    pub store: Store,
    pub address: SocketAddr,
    pub token: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Served {
    pub fn new() -> Served {
        Served::with(Options::default())
    }

    pub fn with(options: Options) -> Served {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let board = Board::bind(Store::open_existing(folder.path()).unwrap(), &options).unwrap();
        let (address, url) = (board.address(), board.url());
        let token = url.split_once("?token=").map(|(_, token)| token.to_owned());
        std::thread::spawn(move || board.serve());
        Served { folder, store, address, token }
    }

    /// Whatever stands in `request`, and all that comes back.
    pub fn say(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        Answer::of(&bytes)
    }

    /// A GET as a browser with the cookie sends it, with more headers.
    pub fn get_with(&self, target: &str, headers: &str) -> Answer {
        let cookie = self.token.as_ref().map_or(String::new(), |token| {
            format!("Cookie: other=1; trainbook-board-{}={token}\r\n", self.address.port())
        });
        self.say(
            format!("GET {target} HTTP/1.1\r\nHost: {}\r\n{cookie}{headers}\r\n", self.address)
                .as_bytes(),
        )
    }

    pub fn get(&self, target: &str) -> Answer {
        self.get_with(target, "")
    }

    /// The document of a GET that must succeed.
    pub fn json(&self, target: &str) -> Value {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.json()
    }

    /// The message of a GET that must fail so.
    pub fn refused(&self, target: &str, status: u16) -> String {
        let answer = self.get(target);
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
        answer.json()["error"]["message"].as_str().unwrap().to_owned()
    }

    pub fn start(&self, start: RunStart) -> RunWriter {
        self.store.start_run(start).unwrap()
    }

    /// A finished run with these values of `loss`; its id.
    pub fn finished(&self, start: RunStart, loss: &[f64]) -> String {
        let run = self.start(start);
        for (step, value) in (1..).zip(loss) {
            run.log(step, &[Metric::new("loss", *value)]);
        }
        run.finish(RunEnd::new(EndState::Finished, loss.len() as u64, 1)).unwrap();
        run.id().to_string()
    }
}

impl Answer {
    fn of(bytes: &[u8]) -> Answer {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| {
            panic!("no answer but {:?}", String::from_utf8_lossy(bytes));
        });
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        assert_eq!(self.header("Content-Type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// As JavaScript's `encodeURIComponent` for what tests ask.
pub fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
