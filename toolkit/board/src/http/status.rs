//! How a request went.

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    NotModified,
    BadRequest,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    Timeout,
    MisdirectedRequest,
    HeadTooLarge,
    Failed,
    Busy,
}

impl Status {
    pub(super) fn code(self) -> u16 {
        match self {
            Status::Ok => 200,
            Status::NotModified => 304,
            Status::BadRequest => 400,
            Status::Unauthorized => 401,
            Status::NotFound => 404,
            Status::MethodNotAllowed => 405,
            Status::Timeout => 408,
            Status::MisdirectedRequest => 421,
            Status::HeadTooLarge => 431,
            Status::Failed => 500,
            Status::Busy => 503,
        }
    }

    pub(super) fn reason(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::NotModified => "Not Modified",
            Status::BadRequest => "Bad Request",
            Status::Unauthorized => "Unauthorized",
            Status::NotFound => "Not Found",
            Status::MethodNotAllowed => "Method Not Allowed",
            Status::Timeout => "Request Timeout",
            Status::MisdirectedRequest => "Misdirected Request",
            Status::HeadTooLarge => "Request Header Fields Too Large",
            Status::Failed => "Internal Server Error",
            Status::Busy => "Service Unavailable",
        }
    }
}
