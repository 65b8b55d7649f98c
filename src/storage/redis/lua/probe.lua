-- Whether this server takes writes, and how it stands. KEYS: a key to write. Answers what INFO says.
redis.call('SET', KEYS[1], '1', 'PX', 60000)
return redis.call('INFO')
