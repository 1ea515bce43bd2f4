use crate::world::World;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

const PY: &str = r#"
import socket,sys,os,base64,time
mode,host,port,n=sys.argv[1],sys.argv[2],int(sys.argv[3]),int(sys.argv[4])
start=int(sys.argv[5])
import resource
resource.setrlimit(resource.RLIMIT_NOFILE,(n+100,resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
s=[]
for i in range(n):
    c=socket.create_connection((host,port))
    line='{"id":1,"call":"user.login","body":{"user":%d,"session":%d}}\n'%(start+i,start+i)
    if mode=='anon': c.send(b'{')
    elif mode=='tcp':
        c.sendall(line.encode()); c.recv(1000)
    elif mode=='ws':
        c.sendall(b'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
        c.recv(1000)
        p=line.strip().encode()
        c.sendall(bytes([0x81,0x80|len(p)])+b'\0\0\0\0'+p); c.recv(1000)
    s.append(c)
print('ready',flush=True)
time.sleep(3)
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn memory() {
    let world = World::with(|settings| {
        settings.max_connections_per_address = 0;
        settings.sign_in_timeout_ms = 600_000;
    })
    .await;
    let n = 4000;
    let mut start = 1;
    for mode in ["tcp", "tcp", "anon", "ws"] {
        let before = rss();
        let port = if mode == "ws" { world.http.port() } else { world.tcp.port() };
        let mut child = Command::new("python3")
            .args(["-c", PY, mode, "127.0.0.1", &port.to_string(), &n.to_string(), &start.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        tokio::task::block_in_place(|| out.read_line(&mut line).unwrap());
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let after = rss();
        println!("{mode}: {} KiB for {n}: {} B each (before {before} KiB)", after - before, (after - before) * 1024 / n);
        tokio::task::block_in_place(|| child.wait().unwrap());
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        println!("after leaving: {} KiB", rss());
        start += n;
    }
}
