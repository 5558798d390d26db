"""The roof: everything a browser shows. May import all of rtnb but `rtnb.local`."""
