//! Links that fail: of a client, of a module.

use std::time::Duration;

use natter_client::Event;
use tokio::time::{Instant, sleep, timeout};

use super::super::machine::Namespace;
use super::super::scene::Scene;
use super::super::{Done, Plan, Skip};
use crate::{Backend, Person, befriend};

/// A client whose network is gone: nobody says goodbye. Its friend sees it go offline.
pub(super) async fn half_open(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    let namespace = Namespace::new()?;
    let scene = Scene::start(backend, &plan, &[]).await;
    let address = scene.platform.address("tcp").await;
    let tcp = scene.platform.tcp().await;
    let (mut alice, mut bob) = (Person::register(&tcp, "alice").await, Person::register(&tcp, "bob").await);
    befriend(&mut alice, &mut bob).await;
    let watched = bob.user;
    drop(bob);
    let online = |wanted: bool| {
        move |event| {
            matches!(event, Event::Presence(p) if p.user == watched && p.online == wanted).then_some(())
        }
    };
    timeout(Duration::from_secs(30), async { alice.event(online(false)).await }).await.ok();
    // Bob again, from within the namespace.
    let port = address.rsplit(':').next().unwrap_or_default().to_owned();
    let login = format!(
        r#"{{"id":1,"call":"user.login","body":{{"name":"bob","password":"{}"}}}}"#,
        Person::password()
    );
    let script = format!("exec 3<>/dev/tcp/{}/{port}; echo '{login}' >&3; exec cat <&3", namespace.outside());
    let mut bob = tokio::process::Command::new("ip")
        .args(["netns", "exec", &namespace.name, "bash", "-c", &script])
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Skip(error.to_string()))?;
    let came = timeout(Duration::from_secs(10), alice.event(online(true))).await;
    scene.calm().await;
    let unbroken = namespace.cut();
    let cut = Instant::now();
    let offline = timeout(Duration::from_secs(60), async {
        // A person waits 10 s for anything; this is about more.
        loop {
            if let Some(natter_client::Update::Event(event)) = alice.updates.next().await
                && online(false)(event).is_some()
            {
                return;
            }
        }
    });
    let offline = offline.await;
    let took = cut.elapsed();
    let _ = bob.kill().await;
    let mut done = scene.finish(&plan).await;
    done.not_done(unbroken);
    if came.is_err() {
        done.wrong.push("the client in the namespace does not come online".into());
    }
    if offline.is_err() || took > Duration::from_secs(35) {
        done.wrong.push(format!("a half-open client was not reaped within 35 s (waited {took:.1?})"));
    }
    done.measured.push(format!("reaped and its friend told after {:.1} s", took.as_secs_f64()));
    Ok(done)
}

pub(super) async fn partition_of_message(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    partition(backend, plan, "message", &[&["in", "out"], &["out"], &["in"]]).await
}

pub(super) async fn partition_of_group(backend: Backend, plan: Plan) -> Result<Done, Skip> {
    partition(backend, plan, "group", &[&["in", "out"]]).await
}

/// A module behind a link on which packets are dropped: both ways, what it says, what it hears.
async fn partition(backend: Backend, plan: Plan, part: &'static str, ways: &[&[&str]]) -> Result<Done, Skip> {
    let namespace = Namespace::new()?;
    let mut scene = Scene::start(backend, &plan, &[]).await;
    scene.platform.wrap_in_namespace(part, &namespace.name, &namespace.outside());
    scene.platform.replace(part).await;
    scene.calm().await;
    let (mut measured, mut wrong) = (Vec::new(), Vec::new());
    for directions in ways {
        scene.fault(&format!("drop {directions:?}"));
        wrong.push(namespace.drop_packets(directions));
        let before = scene.recorder().acked();
        sleep(Duration::from_secs(12)).await;
        measured.push(format!("{} acked while {directions:?} dropped", scene.recorder().acked() - before));
        wrong.push(namespace.heal());
        scene.heal("packets pass again");
        sleep(Duration::from_secs(12)).await;
    }
    let mut done = scene.finish(&plan).await;
    done.measured.append(&mut measured);
    wrong.into_iter().for_each(|step| done.not_done(step));
    Ok(done)
}
