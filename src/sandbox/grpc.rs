//! gRPC framing over HTTP/2, byte by byte, so that it can also be done wrong.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use super::body::{Piece, Script};

/// Length of the prefix of a message: one byte for compression, four for the length.
const PREFIX: usize = 5;

/// A message with its prefix.
pub fn frame(message: &[u8]) -> Bytes {
    let mut frame = prefix(0, message.len());
    frame.put_slice(message);
    frame.freeze()
}

/// A prefix that announces so many bytes.
pub fn prefix(compressed: u8, length: usize) -> BytesMut {
    let mut prefix = BytesMut::with_capacity(PREFIX + length.min(64 * 1024));
    prefix.put_u8(compressed);
    prefix.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    prefix
}

/// The one uncompressed message in a body.
pub fn unframe(body: &Bytes) -> Option<Bytes> {
    let (prefix, message) = body.split_first_chunk::<PREFIX>()?;
    let [compressed, length @ ..] = *prefix;
    let whole = compressed == 0 && usize::try_from(u32::from_be_bytes(length)).ok()? == message.len();
    whole.then(|| body.slice(PREFIX..))
}

/// Status OK, with frames as they are.
pub fn ok(pieces: impl IntoIterator<Item = Piece>) -> Response<Script> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    response(Script::new(pieces.into_iter().chain([Piece::Trailers(trailers)])))
}

/// An error without an answer: headers only (gRPC over HTTP/2, "Trailers-Only").
pub fn status(code: u8, message: &'static str) -> Response<Script> {
    let mut response = response(Script::default());
    response.headers_mut().insert("grpc-status", HeaderValue::from(u16::from(code)));
    response.headers_mut().insert("grpc-message", HeaderValue::from_static(message));
    response
}

/// An HTTP/2 response of gRPC's content type.
pub fn response(body: Script) -> Response<Script> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}
