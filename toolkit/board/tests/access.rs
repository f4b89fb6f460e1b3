//! Whom the board answers, and what it does not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::Served;
use trainbook_board::{Board, BoardError, Options};
use trainbook_store::{RunStart, Store};

const TARGETS: [&str; 4] = ["/", "/board.js", "/api/runs", "/nothing"];

#[test]
fn without_the_token_nothing_is_answered() {
    let board = Served::new();
    let token = board.token.clone().unwrap();
    let wrong = token.replace(|c: char| c.is_ascii_digit(), "f");
    let (host, port) = (board.address, board.address.port());
    for target in TARGETS {
        for headers in [
            String::new(),
            format!("Cookie: trainbook-board-{port}={wrong}\r\n"),
            format!("Cookie: trainbook-board-{port}=\r\n"),
            format!("Cookie: trainbook-board-1={token}\r\n"),
            format!("Authorization: Bearer {}\r\n", &token[1..]),
        ] {
            let answer = board
                .say(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n").as_bytes());
            assert_eq!(answer.status, 401, "{target} {headers}");
            assert!(answer.header("Set-Cookie").is_none() && !answer.text().contains(&token));
        }
    }
    for given in ["token=", "token=x", &format!("token={wrong}")] {
        let request = format!("GET /?{given} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(board.say(request.as_bytes()).status, 401, "{given}");
    }
}

#[test]
fn the_token_opens_the_page_and_stays_as_a_cookie() {
    let board = Served::new();
    let (token, host) = (board.token.clone().unwrap(), board.address);
    let first =
        board.say(format!("GET /?token={token} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    assert_eq!(first.status, 200);
    let cookie = first.header("Set-Cookie").unwrap();
    assert_eq!(
        cookie,
        format!("trainbook-board-{}={token}; Path=/; HttpOnly; SameSite=Strict", host.port())
    );
    assert!(!first.text().contains(&token));
    assert_eq!(board.get("/").status, 200);
    let bearer =
        format!("GET /api/runs HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n");
    assert_eq!(board.say(bearer.as_bytes()).status, 200);
    assert_eq!(board.get("/nothing").status, 404);
}

/// A page of another site whose name was made to point here sends its own name.
#[test]
fn another_name_is_refused_with_the_token_and_without() {
    for token in [true, false] {
        let board = Served::with(Options { token, ..Options::default() });
        let query = board.token.as_ref().map_or(String::new(), |token| format!("?token={token}"));
        for target in TARGETS {
            for host in [
                "Host: evil.example\r\n",
                "Host: evil.example:80\r\n",
                "Host: \r\n",
                "",
                "Host: 192.0.2.1\r\n",
            ] {
                let request = format!("GET {target}{query} HTTP/1.1\r\n{host}\r\n");
                assert_eq!(board.say(request.as_bytes()).status, 421, "{target} {host}");
            }
        }
        for host in ["localhost", "127.0.0.1:9", "[::1]:1"] {
            let request = format!("GET /api/runs{query} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(board.say(request.as_bytes()).status, 200, "{host}");
        }
    }
}

#[test]
fn nothing_but_get_is_done() {
    let board = Served::new();
    let (token, host) = (board.token.clone().unwrap(), board.address);
    for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "get"] {
        let body = "x".repeat(100_000);
        let request = format!(
            "{method} /api/runs?token={token} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = board.say(request.as_bytes());
        assert_eq!((answer.status, answer.header("Allow")), (405, Some("GET")), "{method}");
    }
}

#[test]
fn no_path_leads_out_of_the_store() {
    let board = Served::new();
    std::fs::write(board.folder.path().join("secret"), "secret").unwrap();
    for target in [
        "/../secret",
        "/..%2fsecret",
        "/%2e%2e/secret",
        "/api/../secret",
        "/api/run/..%2f..%2fsecret",
        "/api/run/../metrics?name=loss",
        "/api/run/%2e%2e%2fformat/object/%2e%2e",
        "/api/diff/..%2fformat/..%2fformat",
        "/format",
        "//etc/passwd",
        "/secret%00.js",
    ] {
        let answer = board.get(target);
        assert_eq!(answer.status, 404, "{target}");
        assert!(!answer.text().contains("secret\n"), "{target}");
    }
    assert_eq!(board.get("http://localhost/").status, 400);
    assert_eq!(board.get("/%ff").status, 400);
}

#[test]
fn every_answer_forbids_what_the_page_does_not_need() {
    let board = Served::new();
    for target in ["/", "/board.js", "/api/runs", "/nothing", "/%ff"] {
        let answer = board.get(target);
        let policy = answer.header("Content-Security-Policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
        for forbidden in ["unsafe", "http", "*"] {
            assert!(!policy.contains(forbidden), "{policy}");
        }
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{target}");
        }
        assert!(answer.header("Access-Control-Allow-Origin").is_none());
    }
    assert_eq!(board.get("/api/runs").header("Cache-Control"), Some("no-store"));
}

#[test]
fn plotly_js_is_kept_for_ever_under_its_hash() {
    let board = Served::new();
    let page = board.get("/").text();
    let name = page.split("data-plotly=\"").nth(1).unwrap().split('"').next().unwrap();
    let file = board.get(name);
    assert_eq!((file.status, file.body.len() > 4_000_000), (200, true));
    assert!(file.header("Cache-Control").unwrap().contains("immutable"));
    let tag = board.get("/board.js").header("ETag").unwrap().to_owned();
    let again = board.get_with("/board.js", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!(again.status, 304);
}

#[test]
fn clients_that_say_nothing_block_nobody() {
    let board = Served::new();
    let _silent: Vec<TcpStream> = (0..40)
        .map(|place| {
            let mut stream = TcpStream::connect(board.address).unwrap();
            if place % 2 == 0 {
                stream.write_all(b"GET /api/runs HTT").unwrap();
            }
            stream
        })
        .collect();
    let started = Instant::now();
    assert_eq!(board.get("/api/runs").status, 200);
    // Those that wait are given up after ten seconds; this must not have waited for one of them.
    assert!(started.elapsed() < Duration::from_secs(9));
}

#[test]
fn too_many_connections_are_told_so_and_later_ones_are_answered() {
    let board = Served::new();
    let mut waiting: Vec<TcpStream> =
        (0..200).map(|_| TcpStream::connect(board.address).unwrap()).collect();
    let mut busy = 0;
    for stream in &mut waiting {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut text = String::new();
        if stream.read_to_string(&mut text).is_ok() && text.starts_with("HTTP/1.1 503") {
            busy += 1;
        }
    }
    assert!(busy > 0, "64 connections are served at once");
    drop(waiting);
    let deadline = Instant::now() + Duration::from_secs(9);
    while board.get("/api/runs").status != 200 {
        assert!(Instant::now() < deadline, "places are not given back");
    }
}

#[test]
fn requests_that_are_too_large_are_refused() {
    let board = Served::new();
    for request in [
        format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(100_000)),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(1_000)),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nA: {}", "a".repeat(100_000)),
    ] {
        assert_eq!(board.say(request.as_bytes()).status, 431);
    }
    assert_eq!(board.say(b"\x16\x03\x01\x02 nonsense\r\n\r\n").status, 400);
}

#[test]
fn a_board_for_other_machines_demands_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let bind = |host: &str, token| {
        let store = Store::open(folder.path()).unwrap();
        Board::bind(store, &Options { host: host.to_owned(), port: 0, token })
    };
    assert!(matches!(bind("0.0.0.0", false).unwrap_err(), BoardError::NeedsToken { .. }));
    let open = bind("0.0.0.0", true).unwrap();
    assert!(open.url().starts_with("http://127.0.0.1:") && open.url().contains("/?token="));
    let here = bind("localhost", false).unwrap();
    assert_eq!(here.url(), format!("http://{}/", here.address()));
    let no_host = bind("no host of this name", true).unwrap_err().to_string();
    assert!(no_host.starts_with("listen on no host of this name port 0: "), "{no_host}");
    let store = Store::open(folder.path()).unwrap();
    let taken =
        Options { port: here.address().port(), host: here.address().ip().to_string(), token: true };
    assert!(matches!(Board::bind(store, &taken).unwrap_err(), BoardError::Listen { .. }));
}

/// Looking changes nothing: not a file appears, grows or goes.
#[test]
fn the_journals_are_as_before() {
    let board = Served::new();
    let id = board.finished(RunStart::default(), &[1.0, 0.5]);
    let journal = board.folder.path().join("runs").join(format!("{id}.log"));
    let before = std::fs::read(&journal).unwrap();
    for target in ["/api/runs", &format!("/api/run/{id}"), &format!("/api/diff/{id}/{id}")] {
        board.json(target);
    }
    assert_eq!(std::fs::read(&journal).unwrap(), before);
    assert_eq!(std::fs::read_dir(board.folder.path().join("runs")).unwrap().count(), 1);
}
