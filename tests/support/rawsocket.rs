//! A client that speaks byte by byte.

use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub struct Raw(TcpStream, Vec<u8>);

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).await.unwrap()
    }

    /// The same where a connection may fail.
    pub async fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream, Vec::new()))
    }

    pub async fn send(&mut self, text: &str) {
        self.send_bytes(text.as_bytes()).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Sends as much as the other side puts up with.
    pub async fn try_send(&mut self, bytes: &[u8]) {
        // A gateway that refuses early may close before everything is sent.
        let _ = self.0.write_all(bytes).await;
    }

    /// The head of the next answer.
    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        let read = async {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.0.read_u8().await?);
            }
            io::Result::Ok(())
        };
        let end = tokio::time::timeout(Duration::from_secs(20), read).await.expect("an answer in time");
        let head = String::from_utf8_lossy(&head).into_owned();
        end.unwrap_or_else(|error| panic!("{error} after {head:?}"));
        head
    }

    /// Everything until the other side closes, however it does that.
    pub async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let read = async { while self.0.read_buf(&mut rest).await.is_ok_and(|more| more > 0) {} };
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("the connection was closed in time");
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Sends as much as fits while it takes what the other side says; whether that goes on.
    pub async fn sends_and_reads(&mut self, mut bytes: &[u8]) -> bool {
        let (mut read, mut write) = self.0.split();
        loop {
            tokio::select! {
                biased;
                more = read.read_buf(&mut self.1) => {
                    if !more.is_ok_and(|more| more > 0) {
                        return false;
                    }
                }
                sent = write.write(bytes), if !bytes.is_empty() => match sent {
                    Ok(sent) => bytes = &bytes[sent..],
                    Err(_) => return read.read_buf(&mut self.1).await.is_ok_and(|more| more > 0),
                },
                () = std::future::ready(()), if bytes.is_empty() => return true,
            }
        }
    }

    /// The bytes that [`sends_and_reads`](Self::sends_and_reads) has read.
    pub fn said(&self) -> &[u8] {
        &self.1
    }

    /// Reads so many bytes, or what there is of them until the other side closes; tells how many they were.
    pub async fn rest_of(&mut self, length: usize) -> usize {
        let (mut read, mut piece) = (0, vec![0; 64 << 10]);
        let whole = async {
            while read < length {
                match self.0.read(&mut piece).await {
                    Ok(more @ 1..) => read += more,
                    Ok(0) | Err(_) => return,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), whole).await.expect("all of it, or the end, in time");
        read
    }

    /// The next answer with its body, whose length must be announced.
    pub async fn answer(&mut self) -> (String, String) {
        let head = self.head().await;
        let length =
            head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or_else(|| panic!("no length in {head}"))];
        self.0.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8_lossy(&body).into_owned())
    }

    /// Says that nothing more will be sent, and goes on listening.
    pub async fn half_close(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Sends byte by byte, so far apart, until all is sent or the other side has had enough.
    pub async fn trickle(&mut self, bytes: &[u8], pause: Duration) {
        for byte in bytes {
            if self.0.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }
}
