-- Where the versions of mutes come from.
INSERT INTO counter (name, last) VALUES ('mute', 0);
