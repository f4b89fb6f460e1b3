//! `trainbook board`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::Value;
use trainbook::store::{RunStart, Store};

use crate::{Place, json};

/// Ends with the test, however that ends.
struct Open(Child);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The first line that the board prints, once it is open.
fn open(place: &Place, args: &[&str]) -> (Open, String) {
    let mut command = place.trainbook(&[&["board", "--store", "store"], args].concat());
    let mut board = Open(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(board.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (board, line.trim_end().to_owned())
}

/// The body of what is answered at this address below the printed one.
fn get(url: &str, path: &str) -> String {
    let (address, query) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path}{query} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn the_printed_address_shows_the_store() {
    let place = Place::new();
    let store = Store::open(place.path("store")).unwrap();
    let run = store.start_run(RunStart { model: "mlp".into(), ..RunStart::default() }).unwrap();
    let (_board, url) = open(&place, &[]);
    assert!(url.starts_with("http://127.0.0.1:") && url.contains("/?token="), "{url}");
    assert!(get(&url, "/").contains("<title>trainbook board</title>"));
    let runs: Value = json(&get(&url, "/api/runs"));
    assert_eq!(runs["runs"][0]["id"], run.id().as_str());
    assert!(get(url.split_once('?').unwrap().0, "/").contains("token"));

    let (_other, document) = open(&place, &["--no-token", "--host", "localhost", "--json"]);
    let url = json(&document)["url"].as_str().unwrap().to_owned();
    assert!(!url.contains("token"), "{url}");
    assert_eq!(json(&get(&url, "/api/runs"))["total"], 1);
}

#[test]
fn a_board_that_cannot_be_opened_says_why() {
    let place = Place::new();
    place.refuses(&["board", "--store", "nowhere"], &["nowhere", "there is no store there"]);
    Store::open(place.path("store")).unwrap();
    let board = |args: &[&'static str]| [&["board", "--store", "store"], args].concat();
    place.refuses(&board(&["--no-token", "--host", "0.0.0.0"]), &["without a token", "0.0.0.0"]);
    place.refuses(&board(&["--port", "65536"]), &["65536"]);
    place.refuses(&board(&["--host", "no host"]), &["no host", "--host"]);
}
