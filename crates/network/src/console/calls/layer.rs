//! Listens to calls as they pass, outside of everything else that requests pass: what is noted is what went over the wire.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use kit::clock::Stopwatch;
use protocol::header::KLARNA_CORRELATION_ID;
use tower::{Layer, Service};

use super::{Answered, CalledBy, Captured, Heard, Noted, Observer, Operations, Struck, error_code};
use crate::ctx::Ctx;
use crate::operation::Route;

/// Paths below which nothing is the network's: asked for by browsers, probes and this room.
const NOT_OURS_TO_NOTE: [&str; 7] =
    ["/testing", "/console", "/assets", "/health", "/favicon.ico", "/openapi.json", "/robots.txt"];

/// Puts the listener around a router that has its stack already.
pub fn observe(router: Router, ctx: &Ctx, routes: &[Route]) -> Router {
    if ctx.observer.log().is_none() {
        return router;
    }
    router.layer(Listener { ctx: ctx.clone(), operations: Arc::new(Operations::of(routes)) })
}

#[derive(Clone)]
struct Listener {
    ctx: Ctx,
    operations: Arc<Operations>,
}

impl<S> Layer<S> for Listener {
    type Service = Listening<S>;

    fn layer(&self, inner: S) -> Listening<S> {
        Listening { inner, listener: self.clone() }
    }
}

#[derive(Clone)]
struct Listening<S> {
    inner: S,
    listener: Listener,
}

impl Listener {
    /// The name of what is called; `None` for what is not noted.
    fn names(&self, request: &Request) -> Option<Option<&'static str>> {
        match request.extensions().get::<MatchedPath>() {
            Some(template) => self.operations.at(template.as_str(), request.method()),
            // A mistyped path is what most needs to be seen.
            None => {
                let path = request.uri().path();
                let is_noted = path != "/" && !NOT_OURS_TO_NOTE.iter().any(|prefix| path.starts_with(prefix));
                is_noted.then_some(None)
            }
        }
    }
}

impl<S> Service<Request> for Listening<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let clone = self.inner.clone();
        // The clone may not be ready; the one that was polled is.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let Some(operation) = self.listener.names(&request) else {
            return Box::pin(inner.call(request));
        };
        let ctx = &self.listener.ctx;
        let limit = ctx.observer.log().map_or(0, |log| log.body_bytes_max);
        let (parts, body) = request.into_parts();
        let asked = Arc::new(Mutex::new(Captured::default()));
        let noted = Noted {
            occurred_at: ctx.clock.now(),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            operation,
            request: Heard { headers: parts.headers.clone(), body: Captured::default() },
            answer: None,
            duration_us: 0,
            fault_id: None,
        };
        let mut exchange = Exchange {
            observer: ctx.observer.clone(),
            watch: Stopwatch::start(),
            asked: Arc::clone(&asked),
            noted: Some(noted),
        };
        let body = if body.is_end_stream() { body } else { Body::new(Asking { inner: body, asked, limit }) };
        let request = Request::from_parts(parts, body);
        Box::pin(async move {
            let Ok(response) = inner.call(request).await;
            Ok(exchange.answered(response, limit))
        })
    }
}

/// A call on its way. Noted when the answer has been sent, or nobody waits for it any more.
struct Exchange {
    observer: Observer,
    watch: Stopwatch,
    asked: Arc<Mutex<Captured>>,
    noted: Option<Noted>,
}

impl Exchange {
    fn answered(&mut self, mut response: Response, limit: usize) -> Response {
        let caller = response.extensions_mut().remove::<CalledBy>();
        let struck = response.extensions_mut().remove::<Struck>();
        let correlation = response.headers().get(KLARNA_CORRELATION_ID);
        let correlation_id = correlation.and_then(|value| value.to_str().ok()).map(str::to_owned);
        if let Some(noted) = &mut self.noted {
            noted.duration_us = self.watch.elapsed_us();
            let dropped = struck.as_ref().is_some_and(|struck| struck.dropped);
            noted.fault_id = struck.map(|struck| struck.fault_id);
            noted.answer = Some(Answered {
                status: (!dropped).then(|| response.status().as_u16()),
                error_code: error_code(&response),
                heard: Heard { headers: response.headers().clone(), body: Captured::default() },
                caller,
                correlation_id,
            });
        }
        let exchange = Self {
            observer: self.observer.clone(),
            watch: self.watch,
            asked: Arc::clone(&self.asked),
            noted: self.noted.take(),
        };
        if response.body().is_end_stream() {
            drop(exchange);
            return response;
        }
        response.map(|inner| Body::new(Answering { inner, exchange: Some(exchange), limit }))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Some(mut noted) = self.noted.take() else { return };
        noted.request.body = std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner));
        if noted.answer.is_none() {
            noted.duration_us = self.watch.elapsed_us();
        }
        self.observer.note(noted);
    }
}

/// The request's body, listened to.
struct Asking {
    inner: Body,
    asked: Arc<Mutex<Captured>>,
    limit: usize,
}

impl HttpBody for Asking {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(piece) = frame.data_ref()
        {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).take(piece, self.limit);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The answer's body, listened to. With its end the call is noted.
struct Answering {
    inner: Body,
    exchange: Option<Exchange>,
    limit: usize,
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        let limit = self.limit;
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(piece) = frame.data_ref()
            && let Some(answer) = self.exchange.as_mut().and_then(|exchange| exchange.noted.as_mut()?.answer.as_mut())
        {
            answer.heard.body.take(piece, limit);
        }
        // Before the last piece goes out, so that whoever has read the answer finds the call.
        if self.inner.is_end_stream() || matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.exchange = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
