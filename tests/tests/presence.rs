//! Friends see who is online: as soon as it changes, and rightly again after a crash.

use std::process::Output;
use std::time::Duration;

use broker_schemas::UserId;
use broker_schemas::friend::ListFriends;
use natter_client::{Event, Update, Updates};
use natter_tests::{Backend, Person, Platform, Terminal, befriend, on_both_databases, program};
use tokio::process::Command;
use tokio::time::{Instant, timeout};

/// What `person`'s friend list says about `friend`.
async fn lists_as_online(person: &Person, friend: UserId) -> bool {
    let list = person.chat.call(&ListFriends {}).await.unwrap().friends;
    list.iter().find(|entry| entry.user == friend).expect("a friend").online
}

/// The next push about a friend's presence: who, and whether online.
async fn next_presence(updates: &mut Updates) -> (UserId, bool) {
    loop {
        if let Update::Event(Event::Presence(event)) = updates.next().await.expect("the session goes on") {
            return (event.user, event.online);
        }
    }
}

async fn presence(person: &mut Person) -> (UserId, bool) {
    timeout(Duration::from_secs(10), next_presence(&mut person.updates)).await.expect("a push about presence")
}

/// Asserts that nothing is pushed about anybody's presence for a while.
async fn assert_nothing_changes(person: &mut Person, how_long: Duration) {
    if let Ok(change) = timeout(how_long, next_presence(&mut person.updates)).await {
        panic!("{change:?}");
    }
}

on_both_databases! {
    async fn friends_see_the_first_session_open_and_the_last_one_close(backend: Backend) {
        let platform = Platform::standalone(backend).await;
        let address = platform.tcp().await;
        let mut alice = Person::register(&address, "alice").await;
        let mut bob = Person::register(&address, "bob").await;
        befriend(&mut alice, &mut bob).await;
        let user = bob.user;
        assert!(lists_as_online(&alice, user).await);
        assert!(lists_as_online(&bob, alice.user).await);

        let bob = bob.leave();
        assert_eq!(presence(&mut alice).await, (user, false));
        assert!(!lists_as_online(&alice, user).await);
        let phone = Person::sign_in(&platform.websocket().await, "bob").await;
        assert_eq!(presence(&mut alice).await, (user, true));
        assert!(lists_as_online(&alice, user).await);

        // Of two devices, one comes and goes unnoticed. An edge reports what closed every second.
        let bob = bob.back(None).await.leave();
        assert_nothing_changes(&mut alice, Duration::from_millis(2_500)).await;
        assert!(lists_as_online(&alice, user).await);
        let phone = phone.leave();
        assert_eq!(presence(&mut alice).await, (user, false));
        assert!(!lists_as_online(&alice, user).await);
        let _bob = bob.back(None).await;
        assert_eq!(presence(&mut alice).await, (user, true));
        drop(phone);
    }
}

on_both_databases! {
    async fn only_who_was_on_a_killed_edge_goes_offline_even_when_the_user_module_restarts(backend: Backend) {
        // A lease that runs out sooner than by default.
        let mut platform = Platform::distributed_with(backend, &["user.edge_lease_s=5"]).await;
        platform.start("edge2").await;
        let (first, second) = (platform.tcp().await, platform.tcp_of("edge2").await);
        let mut alice = Person::register(&first, "alice").await;
        let mut bob = Person::register(&second, "bob").await;
        let mut carol = Person::register(&first, "carol").await;
        befriend(&mut alice, &mut bob).await;
        befriend(&mut alice, &mut carol).await;

        platform.kill("edge2").await;
        platform.stop("user").await;
        platform.start("user").await;
        let gone = timeout(Duration::from_secs(20), next_presence(&mut alice.updates));
        assert_eq!(gone.await.expect("bob to be offline within 20 s"), (bob.user, false));
        assert!(!lists_as_online(&alice, bob.user).await);
        assert_nothing_changes(&mut alice, Duration::from_secs(1)).await;
        assert!(lists_as_online(&alice, carol.user).await);

        let bob = bob.leave().back(Some(&first)).await;
        assert_eq!(presence(&mut alice).await, (bob.user, true));
    }
}

/// A network of two ends, one of them in a namespace of its own. Gone when dropped.
struct Cable {
    namespace: String,
    /// The address at this end.
    here: String,
}

impl Cable {
    /// `None`, in words, where this user may not make one.
    async fn lay() -> Option<Self> {
        let id = std::process::id();
        let (namespace, here) = (format!("natter-{id}"), format!("10.213.{}.1", id % 256));
        let cable = Self { namespace, here };
        let (ns, near, far) = (&cable.namespace, cable.near(), "far");
        let there = format!("10.213.{}.2/30", id % 256);
        let steps = [
            format!("netns add {ns}"),
            format!("link add {near} type veth peer name {far} netns {ns}"),
            format!("addr add {}/30 dev {near}", cable.here),
            format!("link set {near} up"),
            format!("-n {ns} addr add {there} dev {far}"),
            format!("-n {ns} link set {far} up"),
        ];
        for step in steps {
            if let Err(error) = ip(&step).await {
                eprintln!("skipped: ip {step}: {error}");
                return None;
            }
        }
        Some(cable)
    }

    fn near(&self) -> String {
        format!("nt{}", std::process::id())
    }

    /// Pulls the plug at the far end.
    async fn cut(&self) {
        ip(&format!("-n {} link set far down", self.namespace)).await.unwrap();
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // With the namespace goes the far end, with it the near one.
        let _ = std::process::Command::new("ip").args(["netns", "del", &self.namespace]).output();
    }
}

async fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split(' ')).output().await;
    let Output { status, stderr, .. } = output.map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&stderr).trim().to_owned()) }
}

/// Its name makes it begin first: it takes as long as the others together, and waits most of that time.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_cut_off_without_a_word_is_offline_within_35_s() {
    let Some(cable) = Cable::lay().await else { return };
    let listen = format!("edge.tcp={}:0", cable.here);
    let platform = Platform::standalone_with(Backend::Sqlite, &[&listen]).await;
    let (address, state) = (platform.tcp().await, tempfile::tempdir().unwrap());
    let mut bob = Person::register(&address, "bob").await;
    let server = address.to_string();
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &cable.namespace]).arg(program("natter"));
    command.args(Terminal::arguments(&server, "alice"));
    let mut alice = Terminal::register_by(&mut command, state.path());
    alice.see("* online as alice").await;
    alice.say("/add bob").await;
    let requested = |event| if let Event::Requested(request) = event { Some(request.user) } else { None };
    let user = bob.event(requested).await;
    bob.chat.call(&broker_schemas::friend::Accept { user }).await.unwrap();
    alice.see("* bob is your friend now").await;

    cable.cut().await;
    let cut = Instant::now();
    let gone = timeout(Duration::from_secs(35), next_presence(&mut bob.updates));
    assert_eq!(gone.await.expect("alice to be offline within 35 s"), (user, false));
    assert!(cut.elapsed() > Duration::from_secs(5), "the cable was no test: {:?}", cut.elapsed());
}
