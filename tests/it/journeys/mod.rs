//! What users come for, through the real program: HTTP in, websocket out, kill -9 in the middle.

/// Makes a test per database of each journey named: `async fn name(home: Home)`.
macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            use crate::support::server::Home;
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(Home::in_files()).await;
                }
            )*
        }
        mod postgres {
            use crate::support::server::Home;
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(Home::on_postgres().await).await;
                }
            )*
        }
    };
}

mod a_minute;
mod audit;
mod backup;
mod billing;
mod caps;
mod content;
mod credentials;
mod database_away;
mod doors;
mod encrypted;
mod events;
mod faults;
mod first_message;
mod isolation;
mod kill_loop;
mod media;
mod metrics;
mod moving;
mod outages;
mod process;
mod quota;
mod recipients;
mod redis;
mod restart;
mod restraint;
mod resume;
mod rubbish;
mod sending;
mod two_processes;
mod verbs;
mod webhooks;
