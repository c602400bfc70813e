"""What actions do: each controller changes the view model or asks the supervisor."""
