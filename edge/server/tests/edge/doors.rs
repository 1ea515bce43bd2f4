//! Administrative calls, through an edge that carries them and through one that doesn't.

// The macro makes the service public, so its types have to be.
#![allow(unreachable_pub, missing_docs)]

use std::sync::Arc;

use broker_schemas::caller::Staff;
use broker_schemas::delivery::EventSpec;
use broker_schemas::permission::Holder;
use broker_schemas::{Code, Done, Exposure, service};
use natter_host::{Call, Handle, Observer, Refused, Result};
use natter_protocol::Encoding;
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::client::{Client, Said};
use crate::world::World;

const EVENTS: &[EventSpec] = &[];
const FACTS: &[EventSpec] = &[];

service! {
    /// Takes the place of the admin module.
    Admin = "admin" version 1, calls: [], hears: [], delivers: [];

    /// Does nothing.
    "peek": Peek => Done { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }
}

#[derive(Debug, Clone, Serialize, Deserialize, Schema)]
pub struct Peek {}

struct Office;

/// Hands on what it hears of who was refused.
#[derive(Debug)]
struct Heard(mpsc::Sender<Refused>);

impl Observer for Heard {
    fn refused(&self, refused: Refused) {
        self.0.try_send(refused).unwrap();
    }
}

impl Handle<Peek> for Office {
    async fn handle(&self, _: &Call<Staff>, _: Peek) -> Result<Done> {
        Ok(Done {})
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrative_call_goes_where_the_edge_may_take_it_and_is_judged_there() {
    for (carries, exposure) in [(false, Exposure::Client), (true, Exposure::Admin)] {
        let world = World::with(|settings| settings.admin = carries).await;
        let bus = world.process.bus(Holder::Service("admin")).await.unwrap();
        let (observer, mut refused) = mpsc::channel(4);
        let heard = Arc::new(Heard(observer));
        let serving =
            world.process.serve_observed::<Admin, _>(bus, Arc::new(Office), Some(heard)).await.unwrap();
        let mut client = Client::tcp(world.tcp, Encoding::Json).await;
        // Nobody is signed in; at the wrong door nobody asks.
        let code = if carries { Code::Unauthenticated } else { Code::Forbidden };
        assert_eq!(client.call(1, "admin.peek", &Peek {}).await, Said::Error(1, code));
        client.login(7, 1).await;
        assert_eq!(client.call(2, "admin.peek", &Peek {}).await, Said::Error(2, Code::Forbidden));
        // The rest of what a client calls goes where it always did.
        assert!(matches!(client.call(3, "user.whoami", &crate::demo::WhoAmI {}).await, Said::Ok(3, _)));
        assert_eq!(refused.recv().await.unwrap().exposure, exposure);
        let heard = refused.recv().await.unwrap();
        assert_eq!((heard.exposure, heard.identity.unwrap().user.get()), (exposure, 7));
        assert!(heard.edge.is_some() && heard.client_address.is_some());
        serving.drain().await;
    }
}
