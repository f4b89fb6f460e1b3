//! Against a server that says what the test tells it to. A real MLflow server is in
//! `tests/python/check_exports.py`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use super::super::samples;
use super::*;

/// A request as it came: its first line, its headers, its body.
struct Request {
    line: String,
    headers: String,
    body: String,
}

/// Answers one request after the other with these (status and body), then closes.
fn server(answers: Vec<(u16, String)>) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut headers) = (String::new(), String::new());
            reader.read_line(&mut line).unwrap();
            while !headers.ends_with("\r\n\r\n") && headers != "\r\n" {
                reader.read_line(&mut headers).unwrap();
            }
            let length = headers.lines().filter_map(|header| header.split_once(": "));
            let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length =
                length.map(|(_, value)| value.parse::<usize>().unwrap()).next().unwrap_or(0);
            let mut content = vec![0; length];
            reader.read_exact(&mut content).unwrap();
            sender
                .send(Request { line, headers, body: String::from_utf8(content).unwrap() })
                .unwrap();
            let location =
                if (300..400).contains(&status) { "location: http://elsewhere/\r\n" } else { "" };
            let head = format!(
                "HTTP/1.1 {status} X\r\n{location}connection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(body.as_bytes()).unwrap();
        }
    });
    (url, requests)
}

fn push(answers: Vec<(u16, String)>) -> (Result<Pushed, String>, Vec<Request>) {
    let (url, requests) = server(answers);
    let credentials = Credentials::Password { user: "me".into(), password: "secret".into() };
    let outcome = Server::new(&url, Some(credentials)).unwrap().push("digits", &samples::odd());
    let outcome = outcome.map_err(|error| error.to_string().replace(&url, "URL"));
    (outcome, requests.into_iter().collect())
}

fn ok(answer: Value) -> (u16, String) {
    (200, answer.to_string())
}

fn experiment() -> (u16, String) {
    ok(json!({"experiment": {"experiment_id": "7", "lifecycle_stage": "active"}}))
}

fn found(fingerprint: &str) -> (u16, String) {
    let tags =
        json!([{"key": "a", "value": "b"}, {"key": content::FINGERPRINT, "value": fingerprint}]);
    ok(json!({"runs": [{"info": {"run_id": "there"}, "data": {"tags": tags}}]}))
}

#[test]
fn a_new_run_is_made_filled_ended_and_marked_in_this_order() {
    let missing = json!({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"});
    let mut answers =
        vec![(404, missing.to_string()), ok(json!({"experiment_id": "7"})), ok(json!({}))];
    answers.push(ok(json!({"run": {"info": {"run_id": "new"}}})));
    answers.extend(std::iter::repeat_n(ok(json!({})), 5));
    let (pushed, requests) = push(answers);
    let pushed = pushed.unwrap();
    assert_eq!(
        (pushed.mlflow_run_id.as_str(), pushed.outcome, pushed.points),
        ("new", Outcome::New, 6)
    );
    let calls: Vec<_> = requests
        .iter()
        .map(|r| r.line.split(['/', ' ', '?']).collect::<Vec<_>>()[5..7].join("/"))
        .collect();
    let expected = ["experiments/get-by-name", "experiments/create", "runs/search", "runs/create"];
    assert_eq!(calls[..4], expected);
    assert_eq!(
        calls[4..],
        ["runs/log-batch", "runs/log-batch", "runs/log-batch", "runs/update", "runs/set-tag"]
    );
    assert!(requests[3].body.contains("trainbook.run_id"), "{}", requests[3].body);
    assert!(requests[7].body.contains("\"status\":\"FINISHED\""), "{}", requests[7].body);
    assert!(
        requests[7].body.contains("1795475053750"),
        "1.5 s after the start: {}",
        requests[7].body
    );
    // base64 of me:secret
    assert!(requests.iter().all(|request| {
        request.headers.to_lowercase().contains("authorization: basic bwu6c2vjcmv0")
    }));
}

#[test]
fn a_run_that_is_there_is_brought_up_to_date_or_left_alone() {
    let whole = Content::of(&samples::odd()).fingerprint;
    let (pushed, requests) = push(vec![experiment(), found(&whole)]);
    assert_eq!(pushed.unwrap().outcome, Outcome::Unchanged);
    assert_eq!(requests.len(), 2);
    let mut answers = vec![experiment(), found("of yesterday")];
    answers.extend(std::iter::repeat_n(ok(json!({})), 5));
    let (pushed, requests) = push(answers);
    let pushed = pushed.unwrap();
    assert_eq!((pushed.mlflow_run_id.as_str(), pushed.outcome), ("there", Outcome::Updated));
    assert!(requests.iter().all(|request| !request.line.contains("runs/create")));
}

#[test]
fn every_refusal_is_one_line_that_says_what_to_do() {
    let says = |status: u16, body: &str| push(vec![(status, body.to_owned())]).0.unwrap_err();
    let server =
        json!({"error_code": "INVALID_PARAMETER_VALUE", "message": "no\nsuch thing"}).to_string();
    assert_eq!(
        says(400, &server),
        "push to the MLflow server URL: it says 400 INVALID_PARAMETER_VALUE: no such thing"
    );
    for (status, body, words) in [
        (404, "<html>", "not as MLflow does"),
        (200, "<html>", "not as MLflow does"),
        (401, "", "MLFLOW_TRACKING_TOKEN"),
        (302, "", "redirects to http://elsewhere/"),
        (503, "busy", "503 to experiments/get-by-name; try again later"),
        (200, "{}", "not that of an MLflow server"),
    ] {
        let error = says(status, body);
        assert!(error.contains(words) && error.lines().count() == 1, "{error}");
    }
    let deleted = ok(json!({"experiment": {"experiment_id": "7", "lifecycle_stage": "deleted"}}));
    assert!(push(vec![deleted]).0.unwrap_err().contains("\"digits\" is deleted"));
}

#[test]
fn addresses_that_cannot_be() {
    let error = |url: &str| Server::new(url, None).map(drop).unwrap_err().to_string();
    for url in ["", "mlflow", "127.0.0.1:5000", "ftp://host/", "http://", "sqlite:///mlruns.db"] {
        assert!(error(url).contains("one looks like http://127.0.0.1:5000"), "{}", error(url));
    }
    let told = error("http://me:secret@host");
    assert!(told.contains("MLFLOW_TRACKING_USERNAME") && !told.contains("secret"), "{told}");
    #[cfg(not(feature = "mlflow-https"))]
    assert!(error("https://host").contains("cargo feature mlflow-https"));
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = Server::new(&format!("http://127.0.0.1:{port}"), None).unwrap();
    let told = nobody.push("digits", &samples::odd()).unwrap_err().to_string();
    assert!(told.contains("is the server running?"), "{told}");
}
