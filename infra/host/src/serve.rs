//! Serving: what a service's declaration lists is subscribed (`queue`), and authorised, bounded, decoded, handled and
//! replied to (`answer`), in one place for all services.

mod age;
mod answer;
mod door;
mod queue;
mod refused;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{HeaderMap, Message};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use broker_schemas::delivery::Attachment;
use broker_schemas::subject;
use broker_schemas::{
    Caller, ContentType, EdgeId, Error, Exposure, Fact, Identity, Method, MethodSpec, Service, ServiceSpec,
    header,
};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use age::now as clock;
pub use refused::{Observer, Refused};

use crate::discovery::Copy;
use crate::{Bus, Database, Result, Scope, Verifier};
use refused::Unanswered;

/// Requests of one service that are worked on at once, those of clients and those of parts each by themselves, so that a flood
/// of clients doesn't keep an edge from saying that it lives. Further ones are refused as `unavailable`, at once.
const CONCURRENCY: usize = 512;
/// How often a copy measures how large its database is.
const MEASURE_EVERY: Duration = Duration::from_secs(10);
/// How long a stopping copy waits for the handlers that run.
const FINISH_GRACE: Duration = Duration::from_secs(10);

/// Handles one method: a module implements it once for each request type of its service.
#[diagnostic::on_unimplemented(message = "`{Self}` has no handler for the method `{R}`")]
pub trait Handle<R: Method>: Send + Sync + 'static {
    /// Does what the request asks and replies.
    ///
    /// It is dropped, wherever it waits, when the caller's deadline passes.
    fn handle(&self, call: &Call<R::Caller>, request: R) -> impl Future<Output = Result<R::Reply>> + Send;
}

/// Handles every method of a list: what [`Service::Methods`] asks of a module.
pub trait Handlers<Methods>: Send + Sync + 'static {
    #[doc(hidden)]
    fn endpoints(self: &Arc<Self>, endpoints: &mut Vec<Endpoint>);
}

impl<M: Send + Sync + 'static> Handlers<()> for M {
    fn endpoints(self: &Arc<Self>, _: &mut Vec<Endpoint>) {}
}

impl<M, R, Rest> Handlers<(R, Rest)> for M
where
    R: Method,
    M: Handle<R> + Handlers<Rest>,
{
    fn endpoints(self: &Arc<Self>, endpoints: &mut Vec<Endpoint>) {
        let module = self.clone();
        let run: Run = Box::new(move |inbound| run::<M, R>(module.clone(), inbound).boxed());
        let run = Arc::new(run);
        for exposure in R::SPEC.exposures {
            endpoints.push(Endpoint { spec: R::SPEC, exposure: *exposure, run: run.clone() });
        }
        <M as Handlers<Rest>>::endpoints(self, endpoints);
    }
}

/// Hears one kind of fact.
pub trait Hear<F: Fact>: Send + Sync + 'static {
    /// Acts on it.
    fn hear(&self, fact: F) -> impl Future<Output = Result<()>> + Send;
}

/// One call, as its handler sees it.
#[derive(Debug)]
pub struct Call<C> {
    /// Who calls; having it is the proof that the caller may.
    pub caller: C,
    /// What calls made on behalf of this one inherit.
    pub scope: Scope,
    /// The edge that forwarded it, if one did.
    pub edge: Option<EdgeId>,
    /// The client's network address as the edge saw it.
    pub client_address: Option<String>,
    reply_headers: Mutex<Vec<(&'static str, String)>>,
    waited: Mutex<Duration>,
}

impl<C> Call<C> {
    /// Signs the client's connection in, once the reply reaches its edge.
    ///
    /// # Errors
    /// When the attachment can't be encoded, which a test of the contract rules out.
    pub fn attach(&self, attachment: &Attachment) -> std::result::Result<(), Error> {
        let bytes = ContentType::Postcard.encode(attachment)?;
        self.add_header(header::ATTACH, URL_SAFE_NO_PAD.encode(bytes));
        Ok(())
    }

    /// Signs the client's connection out, once the reply reaches its edge.
    pub fn detach(&self, why: &str) {
        self.add_header(header::DETACH, why.to_owned());
    }

    /// Says that the handler waited for so long on purpose, such as for answers of whoever is there. It doesn't count as time
    /// that the call took.
    pub fn waited(&self, time: Duration) {
        *self.waited.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }

    fn add_header(&self, name: &'static str, value: String) {
        self.reply_headers.lock().unwrap_or_else(PoisonError::into_inner).push((name, value));
    }
}

/// A method on one of its subjects, without its Rust types.
#[doc(hidden)]
pub struct Endpoint {
    spec: MethodSpec,
    exposure: Exposure,
    run: Arc<Run>,
}

type Run =
    Box<dyn Fn(Inbound) -> BoxFuture<'static, std::result::Result<Outbound, Unanswered>> + Send + Sync>;

struct Inbound {
    content_type: ContentType,
    identity: Option<Identity>,
    scope: Scope,
    edge: Option<EdgeId>,
    client_address: Option<String>,
    body: Bytes,
}

struct Outbound {
    body: Bytes,
    headers: Vec<(&'static str, String)>,
    /// For how long the handler waited on purpose.
    waited: Duration,
}

async fn run<M: Handle<R>, R: Method>(
    module: Arc<M>,
    inbound: Inbound,
) -> std::result::Result<Outbound, Unanswered> {
    let caller = R::Caller::admit(inbound.identity).map_err(Unanswered::NotHandled)?;
    let request: R = inbound.content_type.decode(&inbound.body).map_err(Unanswered::NotHandled)?;
    let call = Call {
        caller,
        scope: inbound.scope,
        edge: inbound.edge,
        client_address: inbound.client_address,
        reply_headers: Mutex::default(),
        waited: Mutex::default(),
    };
    let reply = module.handle(&call, request).await.map_err(Unanswered::Handled)?;
    let body = inbound.content_type.encode(&reply).map_err(|error| Unanswered::Handled(error.into()))?.into();
    let headers = call.reply_headers.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Outbound { body, headers, waited: call.waited.into_inner().unwrap_or_else(PoisonError::into_inner) })
}

/// A service that is being served by this process. Built by [`crate::Process::serve`].
#[derive(Debug)]
pub struct Serving<M> {
    module: Arc<M>,
    server: Arc<Server>,
}

/// What a service may have besides its handlers.
#[derive(Debug, Default)]
pub(crate) struct With {
    /// Who wants to know of requests that didn't reach their handler.
    pub(crate) observer: Option<Arc<dyn Observer>>,
    /// The service's tables, whose size it tells.
    pub(crate) database: Option<Database>,
}

#[derive(Debug)]
struct Server {
    bus: Bus,
    verifier: Arc<Verifier>,
    service: ServiceSpec,
    copy: Copy,
    room: Arc<Semaphore>,
    room_of_parts: Arc<Semaphore>,
    /// Who wants to know of requests that didn't reach their handler.
    observer: Option<Arc<dyn Observer>>,
    ages: age::Ages,
    tasks: TaskTracker,
    leave: CancellationToken,
}

impl<M: Send + Sync + 'static> Serving<M> {
    pub(crate) async fn start<S: Service>(
        bus: Bus,
        verifier: Arc<Verifier>,
        version: &'static str,
        module: Arc<M>,
        with: With,
    ) -> anyhow::Result<Self>
    where
        M: Handlers<S::Methods>,
    {
        let mut endpoints = Vec::new();
        module.endpoints(&mut endpoints);
        let copy =
            Copy::new(&S::SPEC, version, endpoints.iter().map(|endpoint| (endpoint.exposure, endpoint.spec)));
        let server = Arc::new(Server {
            bus,
            verifier,
            service: S::SPEC,
            copy,
            room: Arc::new(Semaphore::new(CONCURRENCY)),
            room_of_parts: Arc::new(Semaphore::new(CONCURRENCY)),
            observer: with.observer,
            ages: age::Ages::new(),
            tasks: TaskTracker::new(),
            leave: CancellationToken::new(),
        });
        for (index, endpoint) in endpoints.into_iter().enumerate() {
            if let Some(closed) = endpoint.closed_to_clients() {
                server.clone().listen(index, closed).await?;
            }
            server.clone().listen(index, endpoint).await?;
        }
        if let Some(database) = with.database {
            server.tasks.spawn(server.clone().measure(database));
        }
        server.clone().answer_discovery().await?;
        server.bus.fence().await?;
        tracing::info!(service = S::NAME, copy = server.copy.id(), version, "serving");
        Ok(Self { module, server })
    }

    /// Also hears a kind of fact: each is heard by one copy of the service, best effort.
    ///
    /// # Errors
    /// When the bus doesn't take the subscription.
    pub async fn hearing<F: Fact>(self) -> anyhow::Result<Self>
    where
        M: Hear<F>,
    {
        let server = self.server.clone();
        let mut facts =
            server.bus.subscribe_as(&subject::facts(F::SERVICE, F::NAME), server.service.name).await?;
        let module = self.module.clone();
        let leave = server.leave.clone();
        let hear = async move {
            loop {
                let body = tokio::select! {
                    () = leave.cancelled() => break,
                    body = facts.next() => body,
                };
                let Some(body) = body else { break };
                let heard = match ContentType::Postcard.decode::<F>(&body) {
                    Ok(fact) => module.hear(fact).await,
                    Err(error) => Err(error.into()),
                };
                if let Err(failure) = heard {
                    tracing::warn!(
                        service = server.service.name,
                        fact = F::NAME,
                        ?failure,
                        "fact not acted on"
                    );
                }
            }
            facts.close().await;
        };
        self.server.tasks.spawn(hear);
        Ok(self)
    }

    #[cfg(test)]
    pub(crate) fn module(&self) -> &M {
        &self.module
    }

    #[cfg(test)]
    pub(crate) fn discovery(&self, question: subject::Discovery) -> Vec<u8> {
        self.server.answer(question)
    }

    /// Stops without losing a call: leaves the queue groups, answers what was routed here before, lets the handlers
    /// finish, and closes the connections.
    pub async fn drain(self) {
        let server = self.server;
        let service = server.service.name;
        server.leave.cancel();
        server.tasks.close();
        if timeout(queue::LEAVE_GRACE + FINISH_GRACE, server.tasks.wait()).await.is_err() {
            tracing::warn!(service, left = server.tasks.len(), "handlers did not finish in time");
        }
        server.bus.close().await;
        tracing::info!(service, "stopped");
    }
}

impl Server {
    fn answer(&self, question: subject::Discovery) -> Vec<u8> {
        let free = self.room.available_permits() + self.room_of_parts.available_permits();
        self.copy.answer(question, 2 * CONCURRENCY - free, 2 * CONCURRENCY)
    }

    /// Keeps what the copy tells of its database's size true.
    async fn measure(self: Arc<Self>, database: Database) {
        let measure = async {
            loop {
                match database.size().await {
                    Ok(bytes) => self.copy.set_database_bytes(bytes),
                    Err(error) => tracing::debug!(%error, "size of the database not known"),
                }
                tokio::time::sleep(MEASURE_EVERY).await;
            }
        };
        self.leave.run_until_cancelled(measure).await;
    }

    async fn answer_discovery(self: Arc<Self>) -> anyhow::Result<()> {
        for question in subject::Discovery::ALL {
            for subject in subject::discovery(question, self.service.name, self.copy.id()) {
                let mut questions = self.bus.subscribe(&subject).await?;
                let server = self.clone();
                let answer = async move {
                    loop {
                        let message = tokio::select! {
                            () = server.leave.cancelled() => break,
                            message = questions.next_message() => message,
                        };
                        let Some(Message { reply, .. }) = message else { return };
                        if let Some(reply) = reply {
                            let body = server.answer(question).into();
                            let _ = server.bus.reply(&reply, HeaderMap::new(), body).await;
                        }
                    }
                    questions.close().await;
                };
                self.tasks.spawn(answer);
            }
        }
        Ok(())
    }
}
