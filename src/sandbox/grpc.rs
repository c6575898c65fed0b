//! What gRPC puts around a message over HTTP/2, byte by byte, so that it can also be done wrong.

use bytes::{BufMut, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::body::{Piece, Script};
use crate::frame::{CONTENT_TYPE, STATUS};

/// Length of the prefix of a message: one byte for compression, four for the length.
const PREFIX: usize = 5;

/// A prefix that announces so many bytes.
pub fn prefix(compressed: u8, length: usize) -> BytesMut {
    let mut prefix = BytesMut::with_capacity(PREFIX + length.min(64 * 1024));
    prefix.put_u8(compressed);
    prefix.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    prefix
}

/// Status OK, with frames as they are.
pub fn ok(pieces: impl IntoIterator<Item = Piece>) -> Response<Script> {
    let mut trailers = HeaderMap::new();
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    response(Script::new(pieces.into_iter().chain([Piece::Trailers(trailers)])))
}

/// An error without an answer: headers only (gRPC over HTTP/2, "Trailers-Only").
pub fn status(code: u8, message: &'static str) -> Response<Script> {
    let mut response = response(Script::default());
    response.headers_mut().insert(STATUS, HeaderValue::from(u16::from(code)));
    response.headers_mut().insert("grpc-message", HeaderValue::from_static(message));
    response
}

/// An HTTP/2 response of gRPC's content type.
pub fn response(body: Script) -> Response<Script> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}
