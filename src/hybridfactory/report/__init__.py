"""What results look like: figures and the page that shows them. It draws what others have computed."""
