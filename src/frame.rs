//! gRPC over HTTP/2, one message each way: framing, deadlines and trailers, for the listener and the wire alike.
//! Not here: streams, compression (which would tell lengths), and what a status means.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Body, Frame};

/// Bytes before a message: compression flag and length, big-endian.
const PREFIX: usize = 5;

/// `content-type` of gRPC.
pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
/// The status of a call, in trailers or in headers.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The deadline of a call.
pub const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Why one message cannot be read from a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Larger than the limit.
    TooLarge,
    /// Compressed, truncated, or not exactly one message.
    Malformed,
    /// The peer went away.
    Broken,
}

/// A message and the trailers after it.
pub struct Received {
    /// The message, without its prefix. `None` where the body was empty.
    pub message: Option<Bytes>,
    /// The trailers, where there were any.
    pub trailers: Option<HeaderMap>,
}

/// Reads a body that holds at most one message of at most `limit` bytes.
///
/// # Errors
/// As soon as it can be told that the body is too large or malformed.
pub async fn receive<B>(mut body: B, limit: usize) -> Result<Received, FrameError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = next(&mut body).await {
        let chunk = match frame.map_err(|_| FrameError::Broken)?.into_data() {
            Ok(chunk) => chunk,
            Err(frame) => {
                trailers = frame.into_trailers().ok();
                continue;
            }
        };
        if first.is_empty() && rest.is_empty() {
            first = chunk;
        } else {
            if rest.is_empty() {
                // Room for all of it at once: what grows by doubling leaves as much again behind.
                rest.reserve(announced(&first, limit)?);
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&chunk);
        }
        let so_far = if rest.is_empty() { &*first } else { &*rest };
        if so_far.len() > announced(so_far, limit)? {
            return Err(FrameError::Malformed);
        }
    }
    let whole = if rest.is_empty() { first } else { rest.freeze() };
    Ok(Received { message: unframe(&whole, limit)?, trailers })
}

/// The bytes of a body that begins so, prefix included: what it announces, or the most where it does not tell yet.
fn announced(beginning: &[u8], limit: usize) -> Result<usize, FrameError> {
    match beginning.first_chunk::<PREFIX>() {
        None => Ok(limit.saturating_add(PREFIX)),
        Some(&[0, a, b, c, d]) => match u32::from_be_bytes([a, b, c, d]) as usize {
            length if length > limit => Err(FrameError::TooLarge),
            length => Ok(PREFIX + length),
        },
        Some(_) => Err(FrameError::Malformed),
    }
}

fn unframe(whole: &Bytes, limit: usize) -> Result<Option<Bytes>, FrameError> {
    if whole.is_empty() {
        return Ok(None);
    }
    if whole.len() != announced(whole, limit)? {
        return Err(FrameError::Malformed);
    }
    Ok(Some(whole.slice(PREFIX..)))
}

async fn next<B: Body + Unpin>(body: &mut B) -> Option<Result<Frame<B::Data>, B::Error>> {
    std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

/// Puts the prefix before a message.
///
/// # Panics
/// Never: a message over 4 GiB is cut off by the limits long before.
pub fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// A body of one framed message, with trailers where they are given.
pub struct Single {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Single {
    /// A question: one message, no trailers.
    pub fn question(message: &[u8]) -> Self {
        Self { data: Some(frame(message)), trailers: None }
    }

    /// An answer: one message, and the status OK after it.
    pub fn answer(message: &[u8]) -> Self {
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(STATUS, HeaderValue::from_static("0"));
        Self { data: Some(frame(message)), trailers: Some(trailers) }
    }
}

impl Body for Single {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let data = self.data.take().map(Frame::data);
        Poll::Ready(data.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }
}

/// Reads `grpc-timeout`: at most eight digits and a unit. `None` where it is absent or malformed.
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_hours(amount),
        "M" => Duration::from_mins(amount),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// Writes `grpc-timeout` in milliseconds; at most 27 hours, which is all that eight digits hold.
pub fn timeout_value(left: Duration) -> HeaderValue {
    let millis = left.as_millis().clamp(1, 99_999_999);
    HeaderValue::from_str(&format!("{millis}m")).unwrap_or(HeaderValue::from_static("1m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(bytes: &'static [u8], limit: usize) -> Result<Option<Bytes>, FrameError> {
        unframe(&Bytes::from_static(bytes), limit)
    }

    #[test]
    fn one_message_and_nothing_else() {
        let ok = |bytes: &'static [u8]| Ok(Some(Bytes::from_static(bytes)));
        for (bytes, limit, expected) in [
            (&b""[..], 8, Ok(None)),
            (b"\0\0\0\0\x02ab", 8, ok(b"ab")),
            (b"\0\0\0\0\0", 8, ok(b"")),
            (b"\x01\0\0\0\x02ab", 8, Err(FrameError::Malformed)),
            (b"\0\0\0\0\x03ab", 8, Err(FrameError::Malformed)),
            (b"\0\0\0\0\x01ab", 8, Err(FrameError::Malformed)),
            (b"\0\0\0", 8, Err(FrameError::Malformed)),
            (b"\0\0\0\0\x02ab", 1, Err(FrameError::TooLarge)),
            (b"\0\xff\xff\xff\xffab", 8, Err(FrameError::TooLarge)),
        ] {
            assert_eq!(received(bytes, limit), expected, "{bytes:?}");
        }
    }

    /// A body of these pieces, then of `more` without end.
    struct Pieces {
        first: std::vec::IntoIter<Bytes>,
        more: Option<Bytes>,
        taken: usize,
    }

    fn pieces(first: &[&'static [u8]], more: Option<&'static [u8]>) -> Pieces {
        let first: Vec<Bytes> = first.iter().map(|piece| Bytes::from_static(piece)).collect();
        Pieces { first: first.into_iter(), more: more.map(Bytes::from_static), taken: 0 }
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            self.taken += 1;
            let piece = self.first.next().or_else(|| self.more.clone());
            Poll::Ready(piece.map(Frame::data).map(Ok))
        }
    }

    #[tokio::test]
    async fn an_endless_body_is_cut_off_where_it_has_more_than_it_announced() {
        for (first, expected, taken) in [
            (&b"\0\0\0\x04\x01"[..], FrameError::TooLarge, 1),
            (b"\0\0", FrameError::Malformed, 2),
            (b"\0\0\0\x04\0", FrameError::Malformed, 6),
            (b"\0\0\0\0\x02a", FrameError::Malformed, 2),
            (b"\x01", FrameError::Malformed, 2),
        ] {
            let mut body = pieces(&[first], Some(&[0; 256]));
            assert_eq!(receive(&mut body, 1024).await.err(), Some(expected), "{first:?}");
            assert_eq!(body.taken, taken, "{first:?}");
        }
    }

    #[tokio::test]
    async fn a_message_may_come_in_pieces() {
        let whole: &[&[u8]] = &[b"\0", b"\0\0\0", b"", b"\x04ab", b"c", b"d"];
        let message = async |body| receive(body, 4).await.map(|received| received.message);
        assert_eq!(message(pieces(whole, None)).await, Ok(Some(Bytes::from_static(b"abcd"))));
        assert_eq!(message(pieces(&whole[..5], None)).await, Err(FrameError::Malformed));
        assert_eq!(message(pieces(&whole[..1], None)).await, Err(FrameError::Malformed));
        assert_eq!(message(pieces(&[], None)).await, Ok(None));
    }

    #[tokio::test]
    async fn what_is_sent_is_received() {
        let received = receive(Single::answer(b"abc"), 8).await.unwrap();
        assert_eq!(received.message.as_deref(), Some(&b"abc"[..]));
        assert_eq!(received.trailers.unwrap()[STATUS], "0");
    }

    #[test]
    fn deadlines_are_read_in_every_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_hours(1))),
            ("2M", Some(Duration::from_mins(2))),
            ("3S", Some(Duration::from_secs(3))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("9n", Some(Duration::from_nanos(9))),
            ("m", None),
            ("", None),
            ("123456789m", None),
            ("-1m", None),
            ("5x", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT, HeaderValue::from_str(text).unwrap());
            assert_eq!(timeout(&headers), expected, "{text}");
        }
    }
}
