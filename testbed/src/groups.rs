//! Groups: made by the admin API, asked for by clients (`xmlns="w:g2"`).

use rusqlite::{Connection, OptionalExtension, params};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::accounts;
use crate::error::{Error, Result};
use crate::offline;
use crate::seat::{Addressing, Person, Seat};
use crate::stanza::{children, iq_error, iq_result, jid};
use crate::world::{ConnId, Turn};

/// The largest group.
const MAX_MEMBERS: usize = 1_024;

/// A group.
pub(crate) struct Group {
    /// Without the server: `12036…`.
    pub id: String,
    pub subject: String,
    pub owner: u64,
    /// Seconds since 1970.
    pub at: i64,
    /// Which names its members have for each other.
    pub naming: Addressing,
}

/// A member of a group.
pub(crate) struct Member {
    pub phone: u64,
    pub lid: u64,
    pub admin: bool,
}

/// A group by its id, without the server.
pub(crate) fn find(db: &Connection, id: &str) -> Result<Option<Group>> {
    let mut find = db.prepare_cached("SELECT id, subject, owner, at, lid FROM grp WHERE id = ?")?;
    let group = find.query_row([id], |r| {
        let naming = if r.get(4)? { Addressing::Lid } else { Addressing::Pn };
        Ok(Group { id: r.get(0)?, subject: r.get(1)?, owner: r.get(2)?, at: r.get(3)?, naming })
    });
    Ok(group.optional()?)
}

/// Every group, or those of a member.
pub(crate) fn list(db: &Connection, of: Option<u64>) -> Result<Vec<Group>> {
    let mut list = db.prepare_cached(
        "SELECT id FROM grp WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM member WHERE grp = id AND phone = ?1) ORDER BY at",
    )?;
    let ids: Vec<String> = list.query_map([of], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut groups = Vec::with_capacity(ids.len());
    for id in ids {
        groups.extend(find(db, &id)?);
    }
    Ok(groups)
}

/// The members of a group.
pub(crate) fn members(db: &Connection, id: &str) -> Result<Vec<Member>> {
    let mut list = db.prepare_cached(
        "SELECT phone, lid, admin FROM member JOIN account USING (phone) WHERE grp = ? ORDER BY phone",
    )?;
    let rows = list.query_map([id], |r| Ok(Member { phone: r.get(0)?, lid: r.get(1)?, admin: r.get(2)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Makes a group whose first member owns it, and tells the companions of all.
pub(crate) fn create(
    turn: &mut Turn<'_>,
    subject: &str,
    phones: &[u64],
    naming: Addressing,
) -> Result<Group> {
    let owner = *phones.first().ok_or_else(|| Error::Refused("a group has at least one member".into()))?;
    if phones.len() > MAX_MEMBERS {
        return Err(Error::Refused(format!("a group has at most {MAX_MEMBERS} members")));
    }
    let number: i64 = turn.db.query_row("SELECT count(*) FROM grp", [], |r| r.get(0))?;
    let id = format!("12036{}{number:04}", turn.now);
    let group = Group { id, subject: subject.to_owned(), owner, at: turn.now / 1000, naming };
    let lid = naming == Addressing::Lid;
    turn.db.execute(
        "INSERT INTO grp VALUES (?, ?, ?, ?, ?)",
        params![group.id, group.subject, owner, group.at, lid],
    )?;
    for phone in phones {
        accounts::known(turn.db, *phone)?;
        let admin = *phone == owner;
        turn.db.execute("INSERT OR IGNORE INTO member VALUES (?, ?, ?)", params![group.id, phone, admin])?;
    }
    let about = describe(turn.db, &group)?;
    let owner = accounts::known(turn.db, owner)?;
    let create = NodeBuilder::new("create").attr("type", "new").children([about]).build();
    for phone in phones {
        for device in accounts::companions(turn.db, *phone)? {
            let told = NodeBuilder::new("notification")
                .attr("from", Jid::group(group.id.as_str()))
                .attr("type", "w:gp2")
                .attr("id", format!("group-{}-{phone}-{device}", group.id))
                .attr("participant", owner.jid(0, naming))
                .attr("t", turn.t())
                .children([create.clone()])
                .build();
            offline::owe(turn, Seat { phone: *phone, device }, told)?;
        }
    }
    Ok(group)
}

/// Answers a question about groups. Making and changing them is for the admin API.
pub(crate) fn on_iq(turn: &mut Turn<'_>, conn: ConnId, seat: Seat, id: &str, node: &Node) -> Result<()> {
    let child = children(node).first().map(|child| child.tag.to_string()).unwrap_or_default();
    let answer = match child.as_str() {
        "query" => {
            let asked = jid(node, "to")?;
            match find(turn.db, &asked.user)? {
                Some(group)
                    if members(turn.db, &group.id)?.iter().any(|member| member.phone == seat.phone) =>
                {
                    iq_result(id, vec![describe(turn.db, &group)?])
                }
                Some(_) => iq_error(id, 403, "forbidden"),
                None => iq_error(id, 404, "item-not-found"),
            }
        }
        "participating" => {
            let mut groups = Vec::new();
            for group in list(turn.db, Some(seat.phone))? {
                groups.push(describe(turn.db, &group)?);
            }
            iq_result(id, vec![NodeBuilder::new("groups").children(groups).build()])
        }
        _ => iq_error(id, 501, "feature-not-implemented"),
    };
    turn.send(conn, answer)
}

fn describe(db: &Connection, group: &Group) -> Result<Node> {
    let members = members(db, &group.id)?;
    let lid = group.naming == Addressing::Lid;
    let participants = members.iter().map(|member| {
        let person = Person { phone: member.phone, lid: member.lid, name: String::new() };
        let mut node = NodeBuilder::new("participant").attr("jid", person.jid(0, group.naming));
        node = if lid {
            node.attr("phone_number", person.jid(0, Addressing::Pn))
        } else {
            node.attr("lid", person.jid(0, Addressing::Lid))
        };
        if member.admin {
            node = node.attr("type", "superadmin");
        }
        node.build()
    });
    let owner = accounts::known(db, group.owner)?;
    let node = NodeBuilder::new("group")
        .attr("id", group.id.as_str())
        .attr("subject", group.subject.as_str())
        .attr("creation", group.at.to_string())
        .attr("creator", owner.jid(0, group.naming))
        .attr("s_t", group.at.to_string())
        .attr("s_o", owner.jid(0, group.naming))
        .attr("size", members.len().to_string())
        .attr("addressing_mode", if lid { "lid" } else { "pn" });
    Ok(node.children(participants).build())
}
