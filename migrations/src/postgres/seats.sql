GRANT DELETE ON plan TO columba_writer;
