//! How the native partner misbehaves.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

use super::{
    body::{Piece, Script},
    grpc,
    housing::Housing,
    trouble::{Trouble, UNDECLARED},
};
use crate::frame::frame as framed;

const CHUNK: usize = 64 * 1024;
const HUGE: u64 = 512;

/// The answer, or what is made of it.
pub fn play(housing: &Housing, trouble: Trouble) -> Response<Script> {
    let frame = housing.frame(trouble.insz());
    let message = frame.slice(5..);
    let half = frame.slice(..frame.len() / 2);
    let answer = |frame| grpc::ok([Piece::Bytes(frame)]);
    match trouble {
        Trouble::Slow => answer(frame),
        Trouble::SoapFault => grpc::status(13, UNDECLARED),
        Trouble::ServerError => page(),
        Trouble::Unavailable => grpc::status(14, UNDECLARED),
        Trouble::Throttled => grpc::status(8, "Exceeded the max throttle rate of 10 within 1000ms"),
        Trouble::NotInscribed => grpc::status(9, UNDECLARED),
        Trouble::AccessRefused => grpc::status(7, UNDECLARED),
        Trouble::Garbage => {
            answer(framed(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0b\x00niet-opgegeven-persoonsgegeven"))
        }
        Trouble::Truncated => answer(half),
        Trouble::Expansion => compressed(&message),
        Trouble::Huge => huge(&message),
        Trouble::SomeoneElse => answer(housing.someone_else()),
        Trouble::TwoPeople => grpc::ok([Piece::Bytes(frame), Piece::Bytes(housing.someone_else())]),
        Trouble::Undeclared => answer(framed(&undeclared(&message, RESPONSE))),
        Trouble::PersonalStatus => personal(frame),
        Trouble::Closed => grpc::response(Script::new([Piece::Bytes(half), Piece::Pause, Piece::Break])),
        Trouble::InvalidUtf8 => answer(framed(&invalid_utf8(&message))),
    }
}

fn page() -> Response<Script> {
    let mut page = Response::new(Script::from(UNDECLARED));
    *page.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    page
}

/// Says that the message is compressed, though the caller accepts no compression (and it is not).
fn compressed(message: &[u8]) -> Response<Script> {
    let mut frame = grpc::prefix(1, message.len());
    frame.put_slice(message);
    let mut response = grpc::ok([Piece::Bytes(frame.freeze())]);
    response.headers_mut().insert("grpc-encoding", HeaderValue::from_static("gzip"));
    response
}

/// A valid message, with undeclared strings until 32 MiB are full.
fn huge(message: &Bytes) -> Response<Script> {
    let mut chunk = BytesMut::new();
    let padding = vec![b'x'; CHUNK];
    bytes_field(4000, &padding, &mut chunk);
    let length = message.len() + chunk.len() * usize::try_from(HUGE).unwrap_or(0);
    grpc::ok([
        Piece::Bytes(grpc::prefix(0, length).freeze()),
        Piece::Bytes(message.clone()),
        Piece::Repeat(chunk.freeze(), HUGE),
    ])
}

/// The whole answer first, then an error; a person's data in everything around it.
fn personal(frame: Bytes) -> Response<Script> {
    let value = HeaderValue::from_static(UNDECLARED);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("2"));
    trailers.insert("grpc-message", value.clone());
    trailers.insert("x-persoon", value.clone());
    // google.rpc.Status { code: 2, message: UNDECLARED }, in base64.
    let details = HeaderValue::from_static("CAISHm5pZXQtb3BnZWdldmVuLXBlcnNvb25zZ2VnZXZlbg");
    trailers.insert("grpc-status-details-bin", details);
    let mut response = grpc::response(Script::new([Piece::Bytes(frame), Piece::Trailers(trailers)]));
    response.headers_mut().insert("x-persoon", value.clone());
    response.headers_mut().insert("set-cookie", value);
    response
}

/// Which fields of a message are messages themselves.
struct Shape(&'static [(u32, Shape)]);

const LEAF: Shape = Shape(&[]);
/// `GetHousingFileResponse`, by field number.
const RESPONSE: &Shape = &Shape(&[(
    1,
    Shape(&[
        (3, LEAF),
        (4, LEAF),
        (5, LEAF),
        (6, LEAF),
        (7, LEAF),
        (8, Shape(&[(2, LEAF)])),
        (12, LEAF),
        (13, LEAF),
    ]),
)]);

/// Puts undeclared fields of every wire type into a message and all messages within it.
fn undeclared(message: &[u8], shape: &Shape) -> Bytes {
    let mut out = BytesMut::new();
    strange(&mut out);
    // Encoded by ourselves a moment ago: what cannot be read is not there.
    let _ = sprinkle(message, shape, &mut out);
    strange(&mut out);
    out.freeze()
}

fn sprinkle(mut rest: &[u8], shape: &Shape, out: &mut BytesMut) -> Result<(), prost::DecodeError> {
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest)?;
        let value = decode_varint(&mut rest)?;
        if wire_type != WireType::LengthDelimited {
            encode_key(number, wire_type, out);
            encode_varint(value, out);
            continue;
        }
        let (bytes, after) = rest.split_at(usize::try_from(value).unwrap_or(usize::MAX).min(rest.len()));
        rest = after;
        match shape.0.iter().find(|(field, _)| *field == number) {
            Some((_, inner)) => bytes_field(number, &undeclared(bytes, inner), out),
            None => bytes_field(number, bytes, out),
        }
    }
    Ok(())
}

/// One undeclared field of each wire type, group included.
fn strange(out: &mut BytesMut) {
    let mut nested = BytesMut::new();
    bytes_field(1, UNDECLARED.as_bytes(), &mut nested);
    bytes_field(99, UNDECLARED.as_bytes(), out);
    bytes_field(4000, &nested, out);
    encode_key(4001, WireType::Varint, out);
    encode_varint(70_723_192_720, out);
    encode_key(4002, WireType::SixtyFourBit, out);
    out.put_u64_le(70_723_192_720);
    encode_key(4003, WireType::ThirtyTwoBit, out);
    out.put_u32_le(707_231_927);
    encode_key(4004, WireType::StartGroup, out);
    bytes_field(1, UNDECLARED.as_bytes(), out);
    encode_key(4004, WireType::EndGroup, out);
}

fn bytes_field(number: u32, bytes: &[u8], out: &mut BytesMut) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.put_slice(bytes);
}

/// Breaks the last name, which stands in it once as text of at least two bytes.
fn invalid_utf8(message: &[u8]) -> Vec<u8> {
    let name = Trouble::InvalidUtf8.name().as_bytes();
    let mut broken = message.to_vec();
    if let Some(at) = broken.windows(name.len()).position(|window| window == name) {
        broken.iter_mut().skip(at).zip(b"\xc3\x28").for_each(|(byte, bad)| *byte = *bad);
    }
    broken
}
