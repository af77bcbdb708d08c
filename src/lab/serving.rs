//! Serves a simulator, down to the connection: a fault may end one without an answer, reset it, or shut the door.
//!
//! Usual servers promise that every request is answered, which is just what bad days do not. Knows no provider and no
//! program of faults; an answer brings along, as a [`Cut`], what is to be done to its connection.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    http::Request,
    response::{IntoResponse, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

/// How many connections may wait to be taken.
const BACKLOG: u32 = 1024;

/// What is done to a connection instead of answering on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It ends in good order.
    Closed,
    /// It is reset.
    Reset,
    /// Headers are sent, and more of them, until the caller has had enough.
    EndlessHeaders,
}

impl From<Cut> for Response {
    fn from(cut: Cut) -> Self {
        let mut response = ().into_response();
        response.extensions_mut().insert(cut);
        response
    }
}

/// Shuts and opens the place where a simulator listens.
#[derive(Clone, Debug)]
pub(crate) struct Door(mpsc::Sender<Shut>);

#[derive(Debug)]
struct Shut {
    lasts: Duration,
    done: oneshot::Sender<()>,
}

impl Door {
    /// Nobody listens for so long; comes back when it is shut.
    pub(crate) async fn shut(&self, lasts: Duration) {
        let (done, is_shut) = oneshot::channel();
        if self.0.send(Shut { lasts, done }).await.is_ok() {
            let _ = is_shut.await;
        }
    }
}

/// A place to listen at, kept even while nobody listens there.
pub(crate) struct Place {
    /// Bound and never listening: as long as it is there, nobody else is given the port.
    _kept: TcpSocket,
    address: SocketAddr,
    listener: TcpListener,
    orders: mpsc::Receiver<Shut>,
}

impl Place {
    /// A free port on loopback.
    pub(crate) fn open() -> io::Result<(Self, Door)> {
        let kept = socket(([127, 0, 0, 1], 0).into())?;
        let address = kept.local_addr()?;
        let listener = socket(address)?.listen(BACKLOG)?;
        let (door, orders) = mpsc::channel(1);
        Ok((Self { _kept: kept, address, listener, orders }, Door(door)))
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves for as long as it is not dropped; its connections end with it.
    pub(crate) async fn serve(self, routes: Router) {
        let Self { _kept, address, listener, mut orders } = self;
        let mut listener = Some(listener);
        let mut guests = JoinSet::new();
        let closing = watch::Sender::new(());
        loop {
            let Some(open) = &listener else {
                let Ok(opened) = socket(address).and_then(|socket| socket.listen(BACKLOG)) else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                listener = Some(opened);
                continue;
            };
            tokio::select! {
                taken = open.accept() => match taken {
                    Ok((stream, _)) => {
                        let _ = guests.spawn(attend(stream, routes.clone(), closing.subscribe()));
                    }
                    // Out of descriptors, most likely: others will be closed.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                Some(shut) = orders.recv() => {
                    listener = None;
                    closing.send_replace(());
                    let _ = shut.done.send(());
                    tokio::time::sleep(shut.lasts).await;
                }
                Some(_) = guests.join_next() => {}
            }
        }
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    #[cfg(unix)]
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Answers on one connection until it ends. When the door is shut it ends after what is under way.
async fn attend(stream: TcpStream, routes: Router, mut closing: watch::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let cut: Arc<Mutex<Option<Cut>>> = Arc::default();
    let pipe = Pipe { stream, cut: Arc::clone(&cut), sent: 0 };
    let answer = service_fn(|request: Request<Incoming>| {
        let routes = TowerToHyperService::new(routes.clone());
        let cut = Arc::clone(&cut);
        async move {
            let answer: Result<Response, Infallible> =
                hyper::service::Service::call(&routes, request.map(Body::new)).await;
            let Ok(answer) = answer;
            let Some(wanted) = answer.extensions().get::<Cut>().copied() else { return Ok(answer) };
            *cut.lock().unwrap_or_else(PoisonError::into_inner) = Some(wanted);
            match wanted {
                Cut::EndlessHeaders => Ok(answer),
                // The connection ends with this, and nothing of the answer is written.
                Cut::Closed | Cut::Reset => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
            }
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(pipe), answer);
    tokio::pin!(connection);
    loop {
        tokio::select! {
            // However it ended, nobody can be told any more.
            _ = connection.as_mut() => return,
            changed = closing.changed() => {
                if changed.is_err() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// A connection that can be cut.
struct Pipe {
    stream: TcpStream,
    cut: Arc<Mutex<Option<Cut>>>,
    /// Bytes sent of headers without an end.
    sent: usize,
}

impl Pipe {
    fn cut(&self) -> Option<Cut> {
        *self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        if self.cut() == Some(Cut::Reset) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        const LINE: &[u8] = b"X-And-Another-One: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
        if self.cut() != Some(Cut::EndlessHeaders) {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        }
        let more = match self.sent.checked_sub(HEAD.len()) {
            None => &HEAD[self.sent..],
            Some(past) => &LINE[past % LINE.len()..],
        };
        match Pin::new(&mut self.stream).poll_write(cx, more) {
            Poll::Ready(Ok(written)) => {
                self.sent += written;
                // Somebody else may go on in between, and then comes the next line.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            other => other,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.cut() {
            // Its end is a reset, which comes when it is dropped.
            Some(Cut::Reset) => Poll::Ready(Ok(())),
            _ => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}
