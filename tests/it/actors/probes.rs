//! A health probe may reconnect, and nothing else: whatever it finds, however often, the credentials stay as they are.

use std::time::Duration;

use columba::domain::session::{Generation, Reason, SessionStatus};
use columba::ports::vault::{Change, Vault as _};
use zeroize::Zeroizing;

use super::fleet::Fleet;

const FAILED: usize = 10_000;
const KILLS: u64 = 12;

#[actix::test]
async fn ten_thousand_failed_probes_and_twelve_crashes_change_not_one_byte_of_the_vault() {
    let mut fleet = Fleet::start().await;
    let (anna, _) = fleet.connected().await;
    let vault = fleet.vaults.of(anna.id);
    let device = Zeroizing::new(b"credentials".to_vec());
    let put = Change::Put { kind: "device", key: vec![], value: device, expires_at: None };
    vault.commit(vec![put]).await.unwrap();
    let before = vault.content();
    assert_eq!(before.1, 1);

    fleet.network.deafen(anna.id, true);
    let mut generation = Generation(1);
    for _ in 0..KILLS {
        // Far enough apart that none of them is one too many.
        while fleet.network.asked(anna.id).1 < FAILED * generation.0 as usize / KILLS as usize {
            fleet.pass(Duration::from_secs(60)).await;
        }
        fleet.until(anna.id, SessionStatus::Connected).await;
        fleet.crash(anna.id).await;
        generation = fleet.birth().await.birth.generation;
        fleet.until(anna.id, SessionStatus::Connected).await;
    }
    let (links, pings) = fleet.network.asked(anna.id);
    assert!(pings >= FAILED, "{pings}");
    assert!(links >= pings as u64 / 2, "two misses are one link: {links} links, {pings} probes");
    assert_eq!(generation, Generation(KILLS + 1));
    assert!(vault.content() == before, "the vault was written");
    assert!(fleet.network.logged_out().is_empty() && fleet.vaults.archived().is_empty());
    assert!(fleet.look(anna.id).await.paired);

    fleet.network.deafen(anna.id, false);
    fleet.pass(Duration::from_secs(120)).await;
    assert_eq!(fleet.standing(anna.id).await, (SessionStatus::Connected, None::<Reason>));
    fleet.ignore_births();
    fleet.finish().await;
}
