"""How long somebody stays signed in, and which sessions still are: for every process that must know."""

from __future__ import annotations

IDLE_S = 30 * 60
"""Since somebody last did something."""
ABSOLUTE_S = 12 * 60 * 60
"""Since they signed in, whatever they did."""
PRIVILEGED_IDLE_S = 15 * 60
PRIVILEGED_ABSOLUTE_S = 8 * 60 * 60
"""Of owners, and of whoever holds a critical permission (B2.2)."""
SEEN_STEP_S = 60
"""How coarsely it is kept when somebody was last seen."""

STILL_SITTING = """
SELECT s.session_key, p.id
  FROM session s
  JOIN principal p ON p.workspace_id = $1 AND p.person_id = s.person_id AND p.active AND NOT p.invited
   AND (p.signed_out_at IS NULL OR s.created_at > p.signed_out_at)
  JOIN workspace w ON w.id = p.workspace_id AND NOT w.suspended
 WHERE s.session_key = ANY($2) AND s.expire_date > clock_timestamp()
   AND s.created_at > clock_timestamp() - make_interval(secs => CASE WHEN p.id = ANY($7) THEN $5::float8 ELSE $3::float8 END)
   AND coalesce(s.seen_at, s.created_at)
       > clock_timestamp() - make_interval(secs => CASE WHEN p.id = ANY($7) THEN $6::float8 ELSE $4::float8 END)
"""
"""Of these sessions those still open, with whom their person is in the workspace. Parameters:
workspace, digests of sessions, `ABSOLUTE_S`, `IDLE_S`, the same of the privileged, and their ids."""
