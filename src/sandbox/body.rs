//! A response body that can also misbehave: pieces, repeats, trailers, and a break in the midst.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// One piece of a body.
pub enum Piece {
    /// Sent once.
    Bytes(Bytes),
    /// Sent so many times, without ever being in memory more than once.
    Repeat(Bytes, u64),
    /// Ends an HTTP/2 stream.
    Trailers(HeaderMap),
    /// Lets go of the thread once, so that what came before is sent.
    Pause,
    /// The connection (HTTP/1.1) or stream (HTTP/2) ends here, abruptly.
    Break,
}

/// Pieces, in order.
#[derive(Default)]
pub struct Script(VecDeque<Piece>);

impl Script {
    pub fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        Self(pieces.into_iter().collect())
    }
}

impl<B: Into<Bytes>> From<B> for Script {
    fn from(bytes: B) -> Self {
        Self::new([Piece::Bytes(bytes.into())])
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = match self.0.pop_front() {
            None => None,
            Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::Repeat(bytes, times)) => {
                if times > 1 {
                    self.0.push_front(Piece::Repeat(bytes.clone(), times - 1));
                }
                Some(Ok(Frame::data(bytes)))
            }
            Some(Piece::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Piece::Pause) => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Piece::Break) => Some(Err(io::Error::from(io::ErrorKind::ConnectionReset))),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let mut size = 0;
        for piece in &self.0 {
            match piece {
                Piece::Bytes(bytes) => size += bytes.len() as u64,
                Piece::Repeat(bytes, times) => size += bytes.len() as u64 * times,
                Piece::Trailers(_) | Piece::Pause => {}
                Piece::Break => return SizeHint::default(),
            }
        }
        SizeHint::with_exact(size)
    }
}
